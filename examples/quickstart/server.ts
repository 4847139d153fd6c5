/**
 * One example server, a process of its own so that it can be killed: `node server.ts PORT ADMIN FOLDER`. Says who it is to every request,
 * and at /pid what to kill; a search takes a while, now and then a long one. What it measures, and who leads, is told by telling.ts.
 * Started by start.ts it ends when that does, however that ends.
 */
import { createServer } from 'node:http';

const [, , port, admin, folder] = process.argv as [string, string, string, string, string];
let answered = 0;

/** Most searches take some 20 ms, one in thirty some 200. */
function searchMs(): number {
  return -Math.log(1 - Math.random()) * (Math.random() < 1 / 30 ? 200 : 20);
}

const server = createServer((request, response) => {
  request.resume();
  response.setHeader('Content-Type', 'text/plain; charset=utf-8');
  if (request.url === '/health') response.end('well\n');
  else if (request.url === '/pid') response.end(`${process.pid}\n`);
  else {
    const text = `Hello from server ${port}, answer ${++answered}: ${request.method} ${request.url}\n`;
    setTimeout(() => response.end(text), request.url?.startsWith('/api/search') === true ? searchMs() : 0);
  }
});
server.on('error', (error: NodeJS.ErrnoException) => {
  console.error(`server ${port}: cannot listen (${error.code})`);
  process.exitCode = 3;
  process.disconnect?.();
});
server.on('clientError', (_error, socket) => socket.destroy());
server.listen(Number(port), '127.0.0.1', () => {
  process.send?.('listening');
  // Loaded when it serves already: nobody waits for it.
  void import('./telling.ts').then(({ tellGateway }) => tellGateway(`server ${port}`, admin, folder));
});

// Ctrl-C reaches the whole terminal: the gateway drains first, and for that its servers must still be here.
process.on('SIGINT', () => undefined);
process.on('disconnect', () => process.exit());
