/**
 * Where the admin API listens: a TCP address, or a unix socket that only its owner may use.
 *
 * A socket file that nobody answers on is what a killed process left, and is replaced; one that somebody answers on, and
 * any other kind of file, is left alone.
 */
import { lstatSync, unlinkSync } from 'node:fs';
import type { Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { SpillwayError } from '../../kernel/errors.ts';
import { joinAddress } from '../config/address.ts';
import { listenMessage } from '../control/listen-check.ts';

export type AdminAddress =
  | { readonly host: string; readonly port: number }
  /** Absolute. */
  | { readonly path: string };

/** `host:port`, or `unix:PATH`. */
export function formatAdminAddress(address: AdminAddress): string {
  return 'path' in address ? `unix:${address.path}` : joinAddress(address.host, address.port);
}

/** Resolves with the address as bound. Throws `LISTEN_FAILED`. */
export async function listenAdmin(server: Server, address: AdminAddress): Promise<AdminAddress> {
  try {
    if ('path' in address) await removeStale(address.path);
    await listen(server, address);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    throw new SpillwayError('LISTEN_FAILED', refusal(address, code), { cause: error });
  }
  // An accept that fails (no file descriptor left) is not the end: the next may do.
  server.on('error', () => {});
  return 'path' in address ? address : { ...address, port: (server.address() as AddressInfo).port };
}

function listen(server: Server, address: AdminAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    const bound = (): void => {
      server.off('error', reject);
      resolve();
    };
    // Node binds within this call, so the mask holds for the socket: there is no moment at which others may use it.
    const mask = 'path' in address ? process.umask(0o177) : null;
    try {
      server.listen({ ...address, exclusive: true }, bound);
    } finally {
      if (mask !== null) process.umask(mask);
    }
  });
}

async function removeStale(path: string): Promise<void> {
  if (lstatSync(path, { throwIfNoEntry: false })?.isSocket() !== true) return;
  const answers = await new Promise<boolean>((resolve) => {
    const socket = connect({ path });
    socket.on('error', ({ code }: NodeJS.ErrnoException) => resolve(code !== 'ECONNREFUSED'));
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });
  if (!answers) unlinkSync(path);
}

function refusal(address: AdminAddress, code: string): string {
  if (!('path' in address)) return listenMessage('The admin API', address.host, address.port, code);
  const where = `The admin API cannot listen on ${formatAdminAddress(address)}`;
  if (code === 'EADDRINUSE') return `${where}: the socket is in use by another process, or is no socket.`;
  if (code === 'EACCES') return `${where}: permission denied for its folder.`;
  return `${where}: ${code}.`;
}
