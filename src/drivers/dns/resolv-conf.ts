/** Which DNS servers this machine asks: `nameserver` lines of resolv.conf(5). Pure. */

/** As the C library: further ones are not asked. */
const SERVERS_MAX = 3;

/** The machine's own if none is named, as resolv.conf(5) says. */
export function nameServersIn(text: string): readonly string[] {
  const named = [...text.matchAll(/^\s*nameserver\s+([0-9A-Fa-f.:]+(?:%\w+)?)\s*(?:[#;].*)?$/gm)].map(
    ([, address = '']) => address,
  );
  return named.length === 0 ? ['127.0.0.1'] : named.slice(0, SERVERS_MAX);
}
