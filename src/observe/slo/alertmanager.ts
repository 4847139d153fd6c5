/**
 * Routes for Alertmanager: pages at once and again soon, tickets once a day, both together for each objective, and no slower
 * alert while a faster one of the same objective is on. Pure. The receivers are empty: who is woken, and how, is yours.
 */
import type { LabelNames } from './rule-labels.ts';

/** As plain data, to be written as YAML. */
export function alertmanagerConfig(names: LabelNames): object {
  const isSlo = `${names.id}=~".+"`;
  const grouped = { group_by: [names.service, names.slo], continue: false };
  return {
    route: {
      receiver: 'default',
      routes: [
        {
          matchers: [isSlo, 'severity="page"'],
          receiver: 'page',
          ...grouped,
          group_wait: '10s',
          group_interval: '1m',
          repeat_interval: '1h',
        },
        {
          matchers: [isSlo, 'severity="ticket"'],
          receiver: 'ticket',
          ...grouped,
          group_wait: '5m',
          group_interval: '1h',
          repeat_interval: '1d',
        },
      ],
    },
    inhibit_rules: [
      inhibition([isSlo, 'severity="page"'], [isSlo, 'severity="ticket"'], names),
      inhibition([isSlo, 'burn="14.4"'], [isSlo, 'burn="6"'], names),
      inhibition([isSlo, 'burn="3"'], [isSlo, 'burn="1"'], names),
    ],
    receivers: [{ name: 'default' }, { name: 'page' }, { name: 'ticket' }],
  };
}

function inhibition(source: readonly string[], target: readonly string[], names: LabelNames): object {
  return { source_matchers: source, target_matchers: target, equal: [names.id] };
}
