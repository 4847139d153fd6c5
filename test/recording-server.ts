/**
 * A server as a process of its own, which a test can kill: it writes each request it gets into a file before anything else,
 * so that what it saw outlives it.
 *
 *     node test/recording-server.ts NAME PORT FILE
 *
 * Prints its port. `/hold` is answered only after SIGUSR2; anything else at once, after the whole body came.
 */
import { appendFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';

const [name = '', port = '0', file = ''] = process.argv.slice(2);
const held: ServerResponse[] = [];
let holds = true;

const server = createServer((request, response) => {
  if (request.url !== '/health') appendFileSync(file, `${request.method} ${String(request.headers['x-id'])}\n`);
  response.setHeader('X-Server', name);
  request.resume();
  request.on('end', () => {
    if (request.url === '/hold' && holds) held.push(response);
    else response.end(`${name} ${request.method}`);
  });
});

process.on('SIGUSR2', () => {
  holds = false;
  for (const response of held.splice(0)) response.end(name);
});
// A test that ends badly must not leave it running.
process.stdin.on('end', () => process.exit()).resume();
server.listen(Number(port), '127.0.0.1', () => {
  process.stdout.write('listening\n');
});
