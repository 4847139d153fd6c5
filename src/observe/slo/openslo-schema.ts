/**
 * OpenSLO v1 (github.com/OpenSLO/OpenSLO): the documents that are understood. What a document may have and cannot be done with
 * Prometheus rules is in the schema, so that `openslo.ts` says why it is refused; what OpenSLO does not know is a mistake.
 */
import * as z from 'zod';
import { expects, flag, list, mapOf, name, oneOf, section, text } from '../../reading/values.ts';
import { parseDuration } from '../../kernel/units.ts';
import { description, judged, line, type Read, readObjective } from './slo-schema.ts';

const anyKey = text('a name', /\S/, { max: 256 });
const labelValue = line('a text of one line');
const metadata = section({
  name: name(),
  displayName: text('a text', /\S/).optional(),
  labels: mapOf(anyKey, z.union([labelValue, list(labelValue, { what: 'values', max: 64 })]), 64).optional(),
  annotations: mapOf(anyKey, z.string(), 64).optional(),
});

const base = { apiVersion: z.literal('openslo/v1', expects('openslo/v1')), metadata };

const metric = section({
  metricSource: section({
    type: oneOf(['Prometheus', 'prometheus', 'Spillway']).optional(),
    metricSourceRef: name().optional(),
    spec: section({
      query: text('PromQL', /\S/, { max: 4096 }).optional(),
      count: oneOf(['all', 'failed']).optional(),
      service: name().optional(),
      route: name().optional(),
    }),
  }),
});

const indicatorSpec = section({
  description: description().optional(),
  thresholdMetric: metric.optional(),
  ratioMetric: section({
    counter: flag().optional(),
    good: metric.optional(),
    bad: metric.optional(),
    total: metric.optional(),
    rawType: oneOf(['success', 'failure']).optional(),
    raw: metric.optional(),
  }).optional(),
});

/** Milliseconds of a slice; a number without a unit is of minutes. Rules look back over whole seconds. */
function readSlice(given: unknown): Read<number> {
  const parsed = parseDuration(typeof given === 'number' ? `${given}m` : String(given));
  if (parsed.ok && parsed.value % 1000 === 0 && parsed.value >= 30_000 && parsed.value <= 3_600_000) return parsed;
  return { ok: false, problem: { expected: 'whole seconds from 30s to 1h, such as 1m, or a number of minutes' } };
}

/** As many as a file of the short form may have. */
const OBJECTIVES_MAX = 100;

const objective = section({
  displayName: text('a text', /\S/).optional(),
  op: oneOf(['lte', 'lt', 'gte', 'gt']).optional(),
  value: z.number(expects('a number')).optional(),
  target: judged<number, number>((given) =>
    readObjective(typeof given === 'number' ? given * 100 : Number.NaN),
  ).optional(),
  targetPercent: judged<number, number>((given) =>
    readObjective(typeof given === 'number' ? given : Number.NaN),
  ).optional(),
  timeSliceTarget: z.number(expects('a share above 0, at most 1')).gt(0).max(1).optional(),
  timeSliceWindow: judged<number, number | string>(readSlice).optional(),
  compositeWeight: z.unknown().optional(),
  indicator: z.unknown().optional(),
  indicatorRef: z.unknown().optional(),
});

const conditionSpec = section({
  description: description().optional(),
  severity: text('a severity, such as page or ticket', /\S/, { max: 64 }),
  condition: section({
    kind: oneOf(['burnrate']).prefault('burnrate'),
    op: oneOf(['lte', 'lt', 'gte', 'gt']).optional(),
    threshold: z.number(expects('a number')),
    lookbackWindow: text('a duration such as 1h', /^\d+[smhdwMQY]$/),
    alertAfter: text('a duration such as 5m', /^\d+[smhdwMQY]$/).optional(),
  }),
});

const targetSpec = section({ description: description().optional(), target: text('a text', /\S/, { max: 256 }) });

const policySpec = section({
  description: description().optional(),
  alertWhenNoData: flag().optional(),
  alertWhenResolved: flag().optional(),
  alertWhenBreaching: flag().optional(),
  conditions: list(
    section({
      conditionRef: name().optional(),
      kind: z.literal('AlertCondition', expects('AlertCondition')).optional(),
      metadata: metadata.optional(),
      spec: conditionSpec.optional(),
    }),
    { what: 'conditions', min: 1, max: 1 },
  ),
  notificationTargets: list(
    section({
      targetRef: name().optional(),
      kind: z.literal('AlertNotificationTarget', expects('AlertNotificationTarget')).optional(),
      metadata: metadata.optional(),
      spec: targetSpec.optional(),
    }),
    { what: 'notification targets', max: 64 },
  ).prefault([]),
});

const policyUse = z.union([
  name(),
  section({
    alertPolicyRef: name().optional(),
    kind: z.literal('AlertPolicy', expects('AlertPolicy')).optional(),
    metadata: metadata.optional(),
    spec: policySpec.optional(),
  }),
]);

export const documentSchemas = {
  DataSource: section({
    ...base,
    kind: z.literal('DataSource'),
    spec: section({
      description: description().optional(),
      type: text('a type such as Prometheus', /\S/, { max: 64 }),
      connectionDetails: z.unknown().optional(),
    }),
  }),
  AlertPolicy: section({ ...base, kind: z.literal('AlertPolicy'), spec: policySpec }),
  AlertCondition: section({ ...base, kind: z.literal('AlertCondition'), spec: conditionSpec }),
  AlertNotificationTarget: section({ ...base, kind: z.literal('AlertNotificationTarget'), spec: targetSpec }),
  Service: section({
    ...base,
    kind: z.literal('Service'),
    spec: section({ description: description().optional() }).prefault({}),
  }),
  SLI: section({ ...base, kind: z.literal('SLI'), spec: indicatorSpec }),
  SLO: section({
    ...base,
    kind: z.literal('SLO'),
    spec: section({
      description: description().optional(),
      service: name(),
      indicator: section({ metadata: metadata.optional(), spec: indicatorSpec }).optional(),
      indicatorRef: name().optional(),
      timeWindow: list(
        section({
          duration: z.union([z.string(), z.number()], expects('a duration such as 30d, 4w or 1M')),
          isRolling: flag().optional(),
          calendar: section({
            startTime: text('a date and a time such as 2026-01-01 00:00:00', /\S/, { max: 64 }),
            timeZone: text('the name of a time zone, such as Europe/Berlin', /\S/, { max: 64 }),
          }).optional(),
        }),
        { what: 'windows', min: 1, max: 1 },
      ).optional(),
      budgetingMethod: oneOf(['Occurrences', 'Timeslices', 'RatioTimeslices']).prefault('Occurrences'),
      objectives: list(objective, { what: 'objectives', min: 1, max: OBJECTIVES_MAX }),
      alertPolicies: list(policyUse, { what: 'alert policies', max: 64 }).nullish(),
    }),
  }),
} as const;

export type IndicatorSpec = z.output<typeof indicatorSpec>;
export type MetricSource = z.output<typeof metric>;
export type ObjectiveSpec = z.output<typeof objective>;
export type SloDocument = z.output<(typeof documentSchemas)['SLO']>;
export type PolicyUse = z.output<typeof policyUse>;
export type AlertPolicySpec = z.output<typeof policySpec>;
