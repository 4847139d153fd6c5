/**
 * The token of a gateway that made one for itself, for whoever may read its file: the gateway says where it is, and nothing needs to be
 * typed.
 *
 * What answers there may be anybody's who waits for a token to be shown. So it must be on this machine, the other end of the connection on
 * which it answered must be of the user whose file it is, or of root (where the system tells, as Linux does; of a unix socket, by who can
 * have made it), the token goes out on that connection and no other, and of the file nothing is believed but a token of ours.
 */
import { isAbsolute } from 'node:path';
import { readTokenFile } from '../gateway/admin/token-file.ts';
import { isLoopback } from '../gateway/config/address.ts';
import { acceptedBy, type Ends } from './connection-user.ts';
import { socketUser } from './socket-user.ts';
import { printable } from './terminal.ts';

export type FoundToken =
  | { readonly kind: 'token'; readonly text: string }
  /** `reason` is a sentence. */
  | { readonly kind: 'none'; readonly reason: string };

/** Where a gateway answered: on a connection to a port of `hostname`, or on a socket. */
export interface AdminPlace {
  readonly hostname?: string | null | undefined;
  readonly socketPath?: string | undefined;
  readonly connection: Ends;
}

/** `file` is what the gateway there has named. */
export async function findToken(place: AdminPlace, file: string): Promise<FoundToken> {
  const { hostname, socketPath } = place;
  if (socketPath === undefined && !isLoopback(hostname ?? '')) return none('It is not on this machine.');
  if (!isAbsolute(file)) return none('The file that it names is no absolute path.');
  const found = await readTokenFile(file);
  switch (found.kind) {
    case 'token': {
      const user = socketPath === undefined ? acceptedBy(place.connection) : socketUser(socketPath, found.uid);
      if (user === 'replaceable') return none('Other users can put a socket in place of that one, so it is not shown.');
      if (user === 'unseen') return none('Who answers there cannot be seen, so it is not shown.');
      const isOurs = user === 'untold' || user === 0 || user === found.uid;
      return isOurs ? found : none('Another user answers there than the one whose file that is, so it is not shown.');
    }
    case 'absent':
      return none(`There is no file ${printable(file)} here.`);
    case 'unfit':
      return none(`${printable(file)} ${found.reason}.`);
    case 'unreadable':
      return none(`This user may not read ${printable(file)} (${found.code}).`);
    default:
      return found satisfies never;
  }
}

function none(reason: string): FoundToken {
  return { kind: 'none', reason };
}
