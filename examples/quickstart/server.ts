/**
 * One example server, a process of its own so that it can be killed: `node server.ts PORT`. Says who it is to every request,
 * and at /pid what to kill. Started by start.ts it ends when that does, however that ends.
 */
import { createServer } from 'node:http';

const port = Number(process.argv[2]);
let answered = 0;

const server = createServer((request, response) => {
  request.resume();
  response.setHeader('Content-Type', 'text/plain; charset=utf-8');
  if (request.url === '/health') response.end('well\n');
  else if (request.url === '/pid') response.end(`${process.pid}\n`);
  else response.end(`Hello from server ${port}, answer ${++answered}: ${request.method} ${request.url}\n`);
});
server.on('error', (error: NodeJS.ErrnoException) => {
  console.error(`server ${port}: cannot listen (${error.code})`);
  process.exitCode = 3;
  process.disconnect?.();
});
server.on('clientError', (_error, socket) => socket.destroy());
server.listen(port, '127.0.0.1', () => process.send?.('listening'));

// Ctrl-C reaches the whole terminal: the gateway drains first, and for that its servers must still be here.
process.on('SIGINT', () => undefined);
process.on('disconnect', () => process.exit());
