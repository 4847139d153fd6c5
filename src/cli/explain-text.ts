/** An explanation as lines for people. Pure. */
import type { ExplainedEndpoint, Explanation } from '../gateway/l7/explain.ts';
import { formatDuration } from '../kernel/units.ts';
import { type Paint, printable } from './terminal.ts';

/** Losers beyond it are counted, not listed: the winner and the near misses come first. */
const ROUTES_MAX = 30;
const ENDPOINTS_MAX = 30;

export function explanationLines(given: Explanation, source: string, paint: Paint): string[] {
  const explanation = harmless(given);
  const { request, refusal, notes } = explanation;
  const query = request.query === null ? '' : `?${request.query}`;
  const lines = [
    paint('strong', `${request.method} ${request.host}${request.path}${query}`),
    paint('dim', `on listener ${request.listener}, by ${printable(source)}`),
    '',
    ...routeLines(explanation, paint),
    ...limitLines(explanation, paint),
    ...serviceLines(explanation, paint),
  ];
  if (refusal === null) lines.push(paint('good', `→ ${passed(explanation)}`));
  else {
    lines.push(paint('bad', `→ refused: ${refusal.status} ${refusal.word}. ${refusal.text}`), `  ${refusal.detail}`);
  }
  for (const note of notes) lines.push(paint('dim', `  note: ${note}`));
  return lines;
}

function routeLines({ routes, route }: Explanation, paint: Paint): string[] {
  if (routes.length === 0) return [];
  const width = Math.min(40, Math.max(...routes.map(({ name }) => name.length)));
  // The winner first, then those that match too, then the rest; each group in the order of the file.
  const matching = ({ reason }: { reason: string }): number => (reason.startsWith('it matches') ? 1 : 2);
  const order = routes.toSorted((a, b) => (a.wins ? 0 : matching(a)) - (b.wins ? 0 : matching(b)));
  const lines = order.slice(0, ROUTES_MAX).map(({ name, match, wins, reason }) => {
    const matched = isDefaultName(name, match) ? '' : `  (${match})`;
    const text = `  ${wins ? '✓' : '·'} ${name.padEnd(width)}${matched}  ${reason}`;
    return wins ? paint('good', text) : text;
  });
  const left = routes.length - lines.length;
  if (left > 0) lines.push(paint('dim', `  … and ${left} more that lose`));
  return [`routes${route === null ? ': none wins' : ''}`, ...lines, ''];
}

/** A route without a name of its own is called by its match: once is enough. */
function isDefaultName(name: string, match: string): boolean {
  return name === match.replace(/^any host/, '*').replace(/any path/, '/*');
}

function limitLines({ limits }: Explanation, paint: Paint): string[] {
  if (limits.length === 0) return [];
  const lines = limits.map(({ name, algorithm, key, countsAs, cost, shadow, store, now }) => {
    const takes = cost === 1 ? '' : `, takes ${cost}`;
    const place = store === null ? '' : `, in ${store}`;
    const what = `${name} (${algorithm}, by ${key}${takes}${place}${shadow ? ', in shadow mode' : ''})`;
    if (countsAs === null) return paint('dim', `  · ${what}: does not concern it`);
    if (now === null) return `  ✓ ${what}: counts as ${countsAs}`;
    const again = now.retryAfterMs > 0 && Number.isFinite(now.retryAfterMs);
    const wait = again ? `, again in ${formatDuration(now.retryAfterMs)}` : '';
    const text = `  ${now.refused ? '✗' : '✓'} ${what}: counts as ${countsAs}, ${now.remaining} of ${now.limit} left${wait}`;
    return paint(now.refused ? 'bad' : 'good', text);
  });
  return ['limits', ...lines, ''];
}

function serviceLines({ service }: Explanation, paint: Paint): string[] {
  if (service === null) return [];
  const { endpoints } = service;
  const width = Math.max(0, ...endpoints.map(({ address }) => address.length));
  const lines = endpoints.slice(0, ENDPOINTS_MAX).map((endpoint) => endpointLine(endpoint, width, paint));
  const left = endpoints.length - lines.length;
  if (left > 0) lines.push(paint('dim', `  … and ${left} more`));
  return [`service ${service.name} (${service.balance})`, ...breakerLines(service, paint), ...lines, ''];
}

function breakerLines({ breaker }: NonNullable<Explanation['service']>, paint: Paint): string[] {
  if (breaker === null) return [];
  const mark = breaker.phase === 'closed' ? '✓' : breaker.phase === 'half-open' ? '·' : '✗';
  const tone = breaker.phase === 'closed' ? 'good' : breaker.phase === 'half-open' ? 'warn' : 'bad';
  return [paint(tone, `  ${mark} breaker ${breaker.phase}: ${breaker.reason}`)];
}

function endpointLine(endpoint: ExplainedEndpoint, width: number, paint: Paint): string {
  const { address, source, weight, health, inFlight, mayBePicked, reason } = endpoint;
  const from = source === 'config' ? [] : [`by ${source}`];
  const facts = [...from, `weight ${weight}`, health, ...(inFlight > 0 ? [`${inFlight} in flight`] : [])].join(', ');
  const text = `  ${mayBePicked ? '✓' : '✗'} ${address.padEnd(width)}  ${facts}: ${reason}`;
  return paint(mayBePicked ? 'good' : 'bad', text);
}

function passed({ route, service, answer, arm }: Explanation): string {
  if (answer !== null) {
    const where = answer.location === null ? '' : ` to ${answer.location}`;
    return `route ${route} answers by itself: ${answer.status}${where}`;
  }
  const picked = service?.endpoints.filter(({ mayBePicked }) => mayBePicked) ?? [];
  const which =
    picked.length === 1 ? (picked[0]?.address ?? '') : `one of ${picked.length} endpoints of ${service?.name}`;
  return `route ${route}${arm === null ? '' : `, arm ${arm},`} sends it to ${which}`;
}

/** The same with nothing in its texts that a terminal obeys: names, paths and reasons come from elsewhere. */
function harmless(explanation: Explanation): Explanation {
  const clean = (_key: string, value: unknown): unknown => (typeof value === 'string' ? printable(value) : value);
  return JSON.parse(JSON.stringify(explanation), clean) as Explanation;
}
