/** Sloth's `prometheus/v1` files (sloth.dev): read as they are, with the same meaning. Plugins are refused. */
import * as z from 'zod';
import type { MistakeList, Path } from '../../reading/mistakes.ts';
import { expects, flag, list as listOf, name, section, text } from '../../reading/values.ts';
import { alertName, type AlertTarget, type Indicator } from './objective.ts';
import { defaultPolicy } from './policy.ts';
import type { Placed } from './slo-rules.ts';
import { description, judged, labels, query, readObjective } from './slo-schema.ts';

/** Sloth's rules are for 30 days unless it is told otherwise where it is run. */
const WINDOW_MS = 30 * 86_400_000;

const target = () =>
  section({
    disable: flag().optional(),
    labels: labels().prefault({}),
    annotations: labels().prefault({}),
  });

export const slothSchema = section({
  version: z.literal('prometheus/v1', expects('prometheus/v1')),
  service: name(),
  labels: labels().prefault({}),
  slos: listOf(
    section({
      name: name(),
      description: description().optional(),
      objective: judged<number, number>((given) => readObjective(typeof given === 'number' ? given : Number.NaN)),
      labels: labels().prefault({}),
      sli: section({
        events: section({ error_query: query('count'), total_query: query('count') }).optional(),
        raw: section({ error_ratio_query: query('share') }).optional(),
        plugin: z.unknown().optional(),
      }),
      alerting: section({
        name: text('the name of an alert', /^[A-Za-z_:][\w:]*$/).optional(),
        labels: labels().prefault({}),
        annotations: labels().prefault({}),
        page_alert: target().prefault({}),
        ticket_alert: target().prefault({}),
      }).prefault({}),
    }),
    { what: 'objectives', min: 1, max: 100 },
  ),
});

type Values = z.output<typeof slothSchema>;

export function fromSloth(values: Values, list: MistakeList): readonly Placed[] {
  return values.slos.flatMap((given, index): Placed[] => {
    const path: Path = ['slos', index];
    const indicator = readSli(given.sli, [...path, 'sli'], list);
    if (indicator === null) return [];
    const { alerting } = given;
    const targetOf = (own: Values['slos'][number]['alerting']['page_alert']): AlertTarget => ({
      enabled: own.disable !== true,
      labels: { ...alerting.labels, ...own.labels },
      annotations: { ...alerting.annotations, ...own.annotations },
    });
    const slo = {
      service: values.service,
      name: given.name,
      description: given.description ?? null,
      objective: given.objective,
      windowMs: WINDOW_MS,
      calendar: null,
      sla: null,
      labels: { ...values.labels, ...given.labels },
      indicator,
      alerts: {
        name: alerting.name ?? alertName,
        page: targetOf(alerting.page_alert),
        ticket: targetOf(alerting.ticket_alert),
        failuresMin: 1,
      },
      policy: defaultPolicy,
    };
    return [{ slo, at: { name: [...path, 'name'], sla: path, labels: [...path, 'labels'], policy: () => path } }];
  });
}

function readSli(sli: Values['slos'][number]['sli'], path: Path, list: MistakeList): Indicator | null {
  if (sli.plugin !== undefined) {
    const message = 'plugins of Sloth are programs that only Sloth runs';
    list.error([...path, 'plugin'], { message, expected: 'events or raw' }, 'key');
    return null;
  }
  const { events, raw } = sli;
  if ((events === undefined) === (raw === undefined)) {
    const found = events === undefined ? 'neither' : 'both';
    list.error(path, { message: 'what is measured is not clear', found, expected: 'either events or raw' });
    return null;
  }
  if (raw !== undefined) return { kind: 'ratio', error: raw.error_ratio_query };
  if (events === undefined) return null;
  return { kind: 'events', bad: events.error_query, total: events.total_query, gateway: null };
}
