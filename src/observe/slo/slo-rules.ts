/** What no schema can say of objectives, whichever form they are written in. */
import { formatDuration, formatPercentage } from '../../kernel/units.ts';
import { type MistakeList, type Path, show } from '../../reading/mistakes.ts';
import { type GatewayIndicator, gatewayQueries, nearestBound, type RequestSelector } from './gateway-indicator.ts';
import { formatObjective, type Indicator, type Slo } from './objective.ts';
import { budgetLevels, type PolicyLevel } from './policy.ts';

/** An objective, and where what is said of it stands in the file. */
export interface Placed {
  readonly slo: Slo;
  readonly at: Readonly<Record<'name' | 'sla' | 'labels', Path>> & { readonly policy: PolicyPlaces };
}

/** Where each of its shares stands; one that holds for several objectives stands in one place. */
export type PolicyPlaces = (level: PolicyLevel) => Path;

/** What rules, alerts and their routes go by. */
const reserved = /^(slo|sloth)_|^(alertname|severity|service|job|instance|le|burn)$/;

export function checkSlos(placed: readonly Placed[], list: MistakeList): void {
  const first = new Map<string, number>();
  const told = new Set<string>();
  for (const [index, { slo, at }] of placed.entries()) {
    const before = first.get(slo.name);
    if (before === undefined) first.set(slo.name, index);
    else {
      const message = `two objectives have the same name; the other is in line ${list.lineOf(placed[before]?.at.name ?? [])}`;
      list.error(at.name, { message, found: show(slo.name), expected: 'a name of its own' });
    }
    checkSla(slo, at.sla, list);
    checkPolicy(slo, at.policy, { list, told });
    for (const label of Object.keys(slo.labels)) {
      const path = [...at.labels, label];
      // Objectives of one SLO have the same.
      if (!reserved.test(label) || told.has(path.join('\n'))) continue;
      told.add(path.join('\n'));
      const message = `the label ${label} is one that rules and alerts have already`;
      list.error(path, { message, expected: 'another name' }, 'key');
    }
  }
}

function checkSla({ sla, objective }: Slo, path: Path, list: MistakeList): void {
  if (sla === null || sla < objective) return;
  list.error(path, {
    message: 'the SLA is not looser than the SLO, so it would be broken before any alert',
    found: formatObjective(sla),
    expected: `less than the objective of ${formatObjective(objective)}`,
  });
}

/** A level that comes before the milder one would leave no time for that. */
function checkPolicy(
  { policy }: Slo,
  places: PolicyPlaces,
  { list, told }: { readonly list: MistakeList; readonly told: Set<string> },
): void {
  let milder: { readonly level: string; readonly at: number } | null = null;
  for (const level of budgetLevels) {
    const at = level === 'ok' ? null : policy[level];
    if (level === 'ok' || at === null) continue;
    if (milder !== null && at > milder.at) {
      const path = places(level);
      const expected = `at most ${formatPercentage(milder.at)}, where ${milder.level} begins`;
      const message = `${level} begins before ${milder.level}`;
      if (!told.has(path.join('\n'))) list.error(path, { message, found: formatPercentage(at), expected });
      told.add(path.join('\n'));
    }
    milder = { level, at };
  }
}

/** An indicator of the gateway's own counters; null if its threshold is between two bounds that are counted by. */
export function latencyIndicator(
  requests: RequestSelector,
  thresholdMs: number,
  refuse: (finding: { message: string; found: string; expected: string; suggestion: string | null }) => void,
): Indicator | null {
  const found = nearestBound(thresholdMs / 1000);
  if ('boundS' in found) return fromGateway({ kind: 'latency', requests, boundS: found.boundS });
  const bounds = [found.below, found.above]
    .filter((bound) => bound !== null)
    .map((bound) => formatDuration(Number((bound * 1000).toFixed(3))));
  refuse({
    message: 'the gateway does not count by this threshold, nor by one within 5 % of it',
    found: formatDuration(thresholdMs),
    expected: `a bound of its histogram, next to this one ${bounds.join(' or ')}`,
    suggestion: bounds.at(-1) ?? null,
  });
  return null;
}

export function fromGateway(gateway: GatewayIndicator): Indicator {
  return { kind: 'events', ...gatewayQueries(gateway), gateway };
}

/** Bad events where good ones are counted. */
export function badOf(good: string, total: string): string {
  return `(${total}) - (${good})`;
}
