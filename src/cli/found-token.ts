/**
 * The token of a gateway that made one for itself, for whoever may read its file: the gateway says where it is, and nothing needs to be
 * typed.
 *
 * What answers there may be anybody's who waits for a token to be shown. So it must be on this machine, its socket must belong to the
 * user whose file it is, or to root (where the system tells, as Linux does), and of the file nothing is believed but a token of ours.
 */
import { statSync } from 'node:fs';
import { isAbsolute } from 'node:path';
import { readTokenFile } from '../gateway/admin/token-file.ts';
import { isLoopback } from '../gateway/config/address.ts';
import { portUsers } from '../gateway/control/port-owner.ts';
import { printable } from './terminal.ts';

export type FoundToken =
  | { readonly kind: 'token'; readonly text: string }
  /** `reason` is a sentence. */
  | { readonly kind: 'none'; readonly reason: string };

/** Where a gateway answered: a port, or a socket. */
export interface AdminPlace {
  readonly hostname?: string | null | undefined;
  readonly port?: string | number | null | undefined;
  readonly socketPath?: string | undefined;
}

/** `file` is what the gateway there has named. */
export async function findToken(place: AdminPlace, file: string): Promise<FoundToken> {
  const { hostname, socketPath } = place;
  if (socketPath === undefined && !isLoopback(hostname ?? '')) return none('It is not on this machine.');
  if (!isAbsolute(file)) return none('The file that it names is no absolute path.');
  const found = await readTokenFile(file);
  switch (found.kind) {
    case 'token': {
      const isTrusted = (uid: number): boolean => uid === 0 || uid === found.uid;
      const users = usersOf(place);
      if (users?.length === 0) return none('Who listens there cannot be seen, so it is not shown.');
      const isOurs = users === null || users.every(isTrusted);
      return isOurs ? found : none('Another user listens there than the one whose file that is, so it is not shown.');
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

/** Whose sockets listen there; null where that is not told. */
function usersOf({ port, socketPath }: AdminPlace): readonly number[] | null {
  if (socketPath === undefined) return portUsers(Number(port ?? 80));
  const stat = statSync(socketPath, { throwIfNoEntry: false });
  return stat === undefined ? [] : [stat.uid];
}
