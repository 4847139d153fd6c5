#!/usr/bin/env node
/**
 * The `spillway` command. Installed from the registry it is the compiled program, in this process. In a clone of the
 * repository it is the source, run by the pinned Node of the dev dependencies, so a machine with an older Node can use it.
 * Plain JavaScript that any Node since 14 can read, so that it can at least say what is wrong.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { sep } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const source = fileURLToPath(new URL('../src/cli/main.ts', import.meta.url));
const compiled = new URL('../dist/cli/main.js', import.meta.url);
const pinned = fileURLToPath(new URL('../node_modules/node/bin/node', import.meta.url));
const recentEnough = Number(process.versions.node.split('.')[0]) >= 24;

// Node strips no types below a node_modules folder, and a package has no source.
if (!root.includes(`${sep}node_modules${sep}`) && existsSync(source)) runSource();
else if (recentEnough) await import(compiled.href);
else fail(`spillway needs Node 24 or newer; this is ${process.version}. Install a newer one from https://nodejs.org`);

function runSource() {
  const program = existsSync(pinned) ? pinned : process.execPath;
  if (program !== pinned && !recentEnough) {
    fail(`spillway needs Node 24 or newer; this is ${process.version}. Run "npm ci" here to get one for this clone.`);
    return;
  }
  const args = ['--conditions=spillway-source', source, ...process.argv.slice(2)];
  // By the channel the program learns of an end of this process that no signal tells of (SIGKILL), and ends too.
  const child = spawn(program, args, { stdio: ['inherit', 'inherit', 'inherit', 'ipc'] });
  for (const signal of ['SIGTERM', 'SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2']) {
    process.on(signal, () => {
      // A key of the terminal reaches the whole group, the child included; passing it on would make one key press two.
      if ((signal === 'SIGINT' || signal === 'SIGQUIT') && process.stdin.isTTY) return;
      child.kill(signal);
    });
  }
  child.on('error', (error) => fail(`spillway could not start ${program}: ${error.message}`));
  child.on('exit', (code, signal) => {
    if (signal === null) process.exitCode = code ?? 1;
    else {
      process.removeAllListeners(signal);
      process.kill(process.pid, signal);
    }
  });
}

function fail(message) {
  console.error(message);
  process.exitCode = 1;
}
