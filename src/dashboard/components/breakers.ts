/** What the breakers of services say: of one service whatever it is, of all only what is not closed. */
import { h } from 'preact';
import { rowsOf } from '../../gateway/admin/live-model.ts';
import { live } from '../feed.ts';
import type { View } from '../view.ts';

const classes = { closed: 'none', open: 'fault', 'half-open': 'warning', isolated: 'fault' } as const;

/** `service` is empty for all. */
export function Breakers({ service }: { readonly service: string }): View | null {
  const rows = rowsOf(live.value!.tables.services).flatMap(({ name, breaker, breakerReason }) => {
    const isShown = service === '' ? breaker !== 'closed' : name === service;
    return breaker !== null && isShown ? [{ name, breaker, reason: breakerReason ?? '' }] : [];
  });
  if (rows.length === 0) return null;
  return h(
    'ul',
    { class: 'problems', 'aria-label': 'Breakers' },
    rows.map(({ name, breaker, reason }) =>
      h('li', { key: name, class: classes[breaker] }, `The breaker of ${name} is ${breaker}: ${reason}.`),
    ),
  );
}
