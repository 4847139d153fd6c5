/** What spent the budget of an objective, the most first, with what was said of it; and planned maintenance. */
import { h } from 'preact';
import type { LedgerView } from '../../gateway/control/budgets.ts';
import type { LedgerEntry } from '../../observe/slo/ledger/entry.ts';
import type { Spending } from '../../observe/slo/ledger/spendings.ts';
import type { SloStatus } from '../../observe/slo/live/status.ts';
import { countText, dateText, durationText, shareText } from '../charts/format.ts';
import { useWatched } from '../watched.ts';
import type { View } from '../view.ts';

const EVERY_S = 10;

export function SloLedger({ status }: { readonly status: SloStatus }): View {
  const { bad, id, budget } = status;
  const { value, problem } = useWatched(
    EVERY_S,
    [`/api/slo/ledger?slo=${encodeURIComponent(id)}`],
    ([view]: readonly [LedgerView]) => view,
  );
  return h('section', { class: 'panel' }, [
    h('header', {}, [h('h2', {}, 'Ledger'), h('span', { class: 'dim' }, 'what spent the budget, the most first')]),
    value === null
      ? h('p', { class: 'dim' }, problem === null ? 'Asking the gateway…' : problem.status === 404 ? 'This gateway keeps no ledger.' : problem.message)
      : value.spendings.length === 0
        ? h('p', {}, bad === 0 ? 'Nothing has spent this budget.' : 'Nothing is entered yet: a burst of failures is when it is over, or each five minutes, and single ones once a day.')
        : h('div', { class: 'scroll', tabIndex: 0, role: 'region', 'aria-label': 'Ledger' }, [
            h('table', {}, [
              h('thead', {}, h('tr', {}, ['Began', 'For', 'Failed', 'Of the budget', 'Kind', 'Notes'].map((text, at) => h('th', { key: text, scope: 'col', class: at > 3 || at === 0 ? 'text' : undefined }, text)))),
              h('tbody', {}, value.spendings.map((spending) => h(SpendingRow, { key: spending.fromMs, spending, events: budget.events }))),
            ]),
          ]),
    value === null ? null : maintenance(value.entries, id),
  ]); // prettier-ignore
}

function SpendingRow({ spending, events }: { readonly spending: Spending; readonly events: number }): View {
  const { fromMs, toMs, bad, burst, notes } = spending;
  return h('tr', {}, [
    h('td', { class: 'text' }, dateText(fromMs)),
    h('td', {}, durationText(toMs - fromMs)),
    h('td', {}, countText(bad)),
    h('td', {}, events === 0 ? '–' : shareText(bad / events)),
    h('td', { class: 'text' }, burst ? 'burst' : 'little by little'),
    h('td', { class: 'text' }, notes.join(' ')),
  ]);
}

function maintenance(entries: readonly LedgerEntry[], id: string): View | null {
  const planned = entries
    .filter((entry) => entry.kind === 'maintenance')
    .filter(({ slo }) => slo === null || slo === id);
  if (planned.length === 0) return null;
  return h('ul', { class: 'maintenance', 'aria-label': 'Planned maintenance' }, [
    planned.map(({ id: key, fromMs, toMs, text, by }) =>
      h('li', { key }, `Maintenance ${dateText(fromMs)}, ${durationText(toMs - fromMs)}: ${text} (${by})`),
    ),
  ]);
}
