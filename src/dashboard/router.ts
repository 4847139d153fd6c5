/** Which screen is shown: what follows `#` in the address, `#/balancer?service=shop`; and the token that a link brings with it, `#token=…/balancer`. */
import { signal } from '@preact/signals';
import { giveToken } from './api.ts';

export interface Place {
  /** `balancer`; empty is the overview. */
  readonly screen: string;
  readonly query: URLSearchParams;
}

export const place = signal<Place>({ screen: '', query: new URLSearchParams() });

function parsePlace(hash: string): Place {
  const [path = '', query = ''] = hash.replace(/^#?\/?/, '').split('?', 2);
  return { screen: path, query: new URLSearchParams(query) };
}

/** Such as `#/service?service=shop`; undefined and empty values are left out. */
export function hashOf(screen: string, query: Readonly<Record<string, string | undefined>> = {}): string {
  const given = Object.entries(query).filter((pair): pair is [string, string] => (pair[1] ?? '') !== '');
  const text = new URLSearchParams(given).toString();
  return `#/${screen}${text === '' ? '' : `?${text}`}`;
}

export function followAddress(): void {
  const read = (): void => {
    takeToken();
    place.value = parsePlace(location.hash);
  };
  window.addEventListener('hashchange', read);
  read();
}

/** Out of the address at once: what stands there is shown, kept in the history, and copied. */
function takeToken(): void {
  const [, token, screen = ''] = /^#token=([^/]+)(\/.*)?$/.exec(location.hash) ?? [];
  if (token === undefined) return;
  history.replaceState(null, '', screen === '' ? location.pathname : `#${screen}`);
  try {
    giveToken(decodeURIComponent(token));
  } catch {
    // An escape that is none: nobody's token.
  }
}

/** Keeps the screen and changes what follows `?`, without a new entry in the history of the browser. */
export function setQuery(changes: Readonly<Record<string, string | undefined>>): void {
  const { screen, query } = place.peek();
  history.replaceState(null, '', hashOf(screen, { ...Object.fromEntries(query), ...changes }));
  place.value = parsePlace(location.hash);
}
