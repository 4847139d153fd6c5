/** How much is left of each error budget: the first that are low. Nothing if the config has no objectives. */
import { h } from 'preact';
import type { SloAnswer } from '../../gateway/admin/slo-api.ts';
import type { SloStatus } from '../../observe/slo/live/status.ts';
import { budgetText, durationText, shareText, windowText } from '../charts/format.ts';
import { hashOf } from '../router.ts';
import { SloNotYet } from './slo-not-yet.ts';
import type { View } from '../view.ts';
import { useWatched } from '../watched.ts';

const EVERY_S = 5;

export function BudgetBars(): View | null {
  const { value } = useWatched(EVERY_S, ['/api/slo'], ([answer]: readonly [SloAnswer]) => answer);
  const { slos = [], waiting = null } = value ?? {};
  if (slos.length === 0 && waiting === null) return null;
  const lowest = slos.toSorted((one, other) => one.budget.share - other.budget.share);
  return h('section', { class: 'panel' }, [
    h('header', {}, [h('h2', {}, 'Error budgets'), h('span', { class: 'dim' }, 'what is left, the lowest first')]),
    waiting === null
      ? h(
          'ul',
          { class: 'budgets' },
          lowest.map((slo) => h('li', { key: slo.id }, h(Bar, { slo }))),
        )
      : h(SloNotYet, { waiting }),
  ]);
}

function Bar({ slo: { alerts, budget, exhaustionMs, id, objective, ...slo } }: { readonly slo: SloStatus }): View {
  const isFiring = alerts.some(({ state }) => state === 'firing');
  const tone = isFiring || budget.share <= 0 ? 'bad' : budget.share < 0.25 ? 'warn' : 'good';
  const left = budgetText(budget.share) + (budget.share >= 0 ? ' left' : '');
  const gone = exhaustionMs === null || exhaustionMs <= 0 ? '' : `, gone in ${durationText(exhaustionMs)} at this rate`;
  return h('a', { href: hashOf('slo', { id }) }, [
    h('b', {}, id),
    h('span', { class: 'dim' }, `${shareText(objective)} ${windowText(slo)}`),
    h('svg', { viewBox: '0 0 200 10', preserveAspectRatio: 'none', 'aria-hidden': 'true' }, [
      h('rect', { class: 'ground', width: 200, height: 10 }),
      h('rect', { class: tone, width: 200 * Math.max(0, Math.min(1, budget.share)), height: 10 }),
    ]),
    h('span', { class: tone }, [left, gone, isFiring ? ', alert on' : '']),
  ]);
}
