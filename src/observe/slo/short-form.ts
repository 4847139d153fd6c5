/** From the short form, which is ours, to objectives. */
import type { MistakeList, Path } from '../../reading/mistakes.ts';
import { alertName, type Indicator } from './objective.ts';
import { policyOf, type PolicyLevel } from './policy.ts';
import { badOf, fromGateway, latencyIndicator, type Placed } from './slo-rules.ts';
import type { SloValues } from './slo-schema.ts';

type Objective = SloValues['slos'][number];

export function fromShortForm({ service, labels, policy, slos }: SloValues, list: MistakeList): readonly Placed[] {
  return slos.flatMap((given, index): Placed[] => {
    const path: Path = ['slos', index];
    const indicator = readSli(given, service, [...path, 'sli'], list);
    if (indicator === null) return [];
    const { name, description = null, objective, window, sla = null, alerts } = given;
    if (indicator.kind === 'ratio' && alerts.failuresMin > 1) {
      const message = 'a ratio does not say how many failures there were';
      list.error([...path, 'alerts', 'failuresMin'], { message, expected: 'events in sli, or no failuresMin' });
    }
    const own = { labels: { ...labels, ...given.labels }, indicator, alerts: { name: alertName, ...alerts } };
    const at = {
      name: [...path, 'name'],
      sla: [...path, 'sla'],
      labels: [...path, 'labels'],
      policy: (level: PolicyLevel): Path =>
        given.policy?.[level] === undefined && policy?.[level] !== undefined
          ? ['policy', level]
          : [...path, 'policy', level],
    };
    const merged = policyOf(policy, given.policy);
    return [
      {
        slo: { service, name, description, objective, windowMs: window, calendar: null, sla, ...own, policy: merged },
        at,
      },
    ];
  });
}

function readSli({ sli }: Objective, service: string, path: Path, list: MistakeList): Indicator | null {
  const kinds = Object.keys(sli);
  if (kinds.length !== 1) {
    const expected = 'exactly one of availability, latency, events, ratio';
    list.error(path, { message: 'what is measured is not clear', found: kinds.join(' and ') || 'nothing', expected });
    return null;
  }
  const { availability, latency, events, ratio } = sli;
  const requests = (given: { readonly service?: string | undefined; readonly route?: string | undefined }) => ({
    service: given.service ?? service,
    route: given.route ?? null,
  });
  if (availability !== undefined) return fromGateway({ kind: 'availability', requests: requests(availability) });
  if (latency !== undefined) {
    const refuse = (finding: Parameters<MistakeList['error']>[1]): void =>
      list.error([...path, 'latency', 'under'], finding);
    return latencyIndicator(requests(latency), latency.under, refuse);
  }
  if (ratio !== undefined) return { kind: 'ratio', error: ratio.error };
  if (events === undefined) return null;
  const { bad, good, total } = events;
  if ((bad === undefined) === (good === undefined)) {
    const found = bad === undefined ? 'neither' : 'both';
    list.error([...path, 'events'], {
      message: 'either bad or good events are counted',
      found,
      expected: 'bad or good',
    });
    return null;
  }
  return { kind: 'events', bad: bad ?? badOf(good ?? '', total), total, gateway: null };
}
