/**
 * Objectives: what is left of each budget and what happens if it goes on like this, how fast it burns over the windows of its alerts, how soon somebody
 * would be woken if all failed now, and what spent it.
 */
import { h } from 'preact';
import type { SloAnswer } from '../../gateway/admin/slo-api.ts';
import { standing } from '../../observe/slo/gate.ts';
import type { SloStatus } from '../../observe/slo/live/status.ts';
import { formatObjective } from '../../observe/slo/objective.ts';
import { BulletBars, burnText } from '../charts/bullet-bars.ts';
import { budgetText, countText, dateText, durationText, shareText, windowText } from '../charts/format.ts';
import { Asking } from '../components/asking.ts';
import { BudgetChart } from '../components/budget-chart.ts';
import { SloLedger } from '../components/slo-ledger.ts';
import { SloNotYet } from '../components/slo-not-yet.ts';
import { place, setQuery } from '../router.ts';
import type { View } from '../view.ts';
import { useWatched } from '../watched.ts';

const EVERY_S = 2;

export function SloScreen(): View {
  const { value, problem } = useWatched(EVERY_S, ['/api/slo'], ([answer]: readonly [SloAnswer]) => answer);
  if (value === null) return h(Asking, { problem });
  const { slos, waiting } = value;
  if (waiting !== null) return h(SloNotYet, { waiting });
  if (slos.length === 0) return h(NoObjectives, {});
  const wanted = place.value.query.get('id');
  const chosen = slos.find(({ id }) => id === wanted) ?? worst(slos);
  return h('div', { class: 'screen' }, [
    h(Objectives, { slos, chosen }),
    h(Objective, { key: chosen.id, status: chosen }),
  ]);
}

/** That with the least of its budget left. */
function worst(slos: readonly SloStatus[]): SloStatus {
  return slos.reduce((least, one) => (one.budget.share < least.budget.share ? one : least));
}

function NoObjectives(): View {
  return h('section', { class: 'panel empty' }, [
    h('p', {}, 'This gateway has no objectives.'),
    h('p', { class: 'dim' }, ['Write them to a file and name it in the config:']),
    h(
      'pre',
      {},
      'slos: ./shop.slo.yaml\n\n# shop.slo.yaml\nservice: shop\nslos:\n  - name: availability\n    objective: 99.9%\n    sli: { availability: {} }',
    ),
    h('p', { class: 'dim' }, [
      'What they mean before anything is deployed: ',
      h('code', {}, 'spillway slo check shop.slo.yaml'),
    ]),
  ]);
}

function Objectives({ slos, chosen }: { readonly slos: readonly SloStatus[]; readonly chosen: SloStatus }): View {
  return h('section', { class: 'panel' }, [
    h('div', { class: 'scroll', tabIndex: 0, role: 'region', 'aria-label': 'Objectives' }, [
      h('table', {}, [
        h('caption', { class: 'unseen' }, 'Objectives'),
        h(
          'thead',
          {},
          h(
            'tr',
            {},
            [
              'Objective',
              'Measures',
              'Target',
              'Now',
              'Budget left',
              '',
              'Events left',
              'Burns',
              'Gone in',
              'Alert',
            ].map((text, at) =>
              h('th', { key: text, scope: 'col', class: at < 2 || at === 9 ? 'text' : undefined }, text),
            ),
          ),
        ),
        h(
          'tbody',
          {},
          slos.map((status) => h(ObjectiveRow, { key: status.id, status, isChosen: status === chosen })),
        ),
      ]),
    ]),
  ]);
}

function ObjectiveRow({ status, isChosen }: { readonly status: SloStatus; readonly isChosen: boolean }): View {
  const { id, measures, objective, good, bad, budget, exhaustionMs } = status;
  const events = good + bad;
  return h('tr', { class: isChosen ? 'chosen' : undefined }, [
    h(
      'td',
      { class: 'text' },
      h('button', { class: 'link', 'aria-pressed': isChosen, onClick: () => setQuery({ id }) }, id),
    ),
    h('td', { class: 'text dim' }, measures),
    h('td', {}, formatObjective(objective)),
    h('td', {}, events === 0 ? '–' : shareText(good / events)),
    h('td', { class: toneOf(status) }, budgetText(budget.share)),
    h(
      'td',
      {},
      h(
        'span',
        { class: 'meter', 'aria-hidden': 'true' },
        h('i', { class: toneOf(status), style: { width: `${Math.min(1, Math.max(0, budget.share)) * 100}%` } }),
      ),
    ),
    h('td', {}, eventsText(status)),
    h('td', {}, burnNow(status)),
    h('td', {}, exhaustionMs === null ? '–' : goneText(exhaustionMs)),
    h('td', { class: 'text' }, alertText(status)),
  ]);
}

/** How many may still fail of those that were counted. Of few requests not one: then not all is spent, and yet the next failure is too much. */
function eventsText({ bad, budget: { eventsLeft }, good }: SloStatus): string {
  if (good + bad === 0) return '–';
  return eventsLeft > 0 && eventsLeft < 1 ? '<\u00a01' : countText(Math.trunc(eventsLeft));
}

/** Over the shortest of the long windows, which is an hour for 30 days. */
function burnNow({ burn, alerts }: SloStatus): string {
  const hour = burn.find(({ windowS }) => windowS === alerts[0]?.longS) ?? burn[0];
  const value = hour?.value ?? null;
  return value === null ? '–' : `${burnText(value)}×`;
}

function alertText({ alerts }: SloStatus): View | string {
  const firing = alerts.find(({ state }) => state === 'firing');
  if (firing !== undefined) return h('b', { class: 'bad' }, `${firing.severity} fires`);
  return alerts.some(({ state }) => state === 'pending') ? h('span', { class: 'warn' }, 'building up') : 'quiet';
}

/** Where it is not known what is left nothing is well. */
function toneOf(status: SloStatus): string {
  const { level } = status;
  if (level === 'ok' && standing(status).unknown !== null) return 'dim';
  return { ok: 'good', warn: 'warn', review: 'warn', freeze: 'bad' }[level];
}

const levelWords = {
  ok: 'Deploys may go on.',
  warn: 'The budget runs low: a warning.',
  review: 'The budget runs low: deploys want a review.',
  freeze: 'The budget is gone: deploys are frozen; rollbacks and security fixes pass.',
} as const;

/** Spent is spent, also where nothing follows. */
function levelText(status: SloStatus): string {
  const { budget, level, policy } = status;
  const { unknown } = standing(status);
  if (level === 'ok' && unknown !== null) return `It is not known yet whether deploys may go on: ${unknown}.`;
  if (level === 'freeze' || budget.share > 0) return levelWords[level];
  return policy.freeze === null
    ? 'The budget is gone; its policy freezes nothing.'
    : 'The budget is gone; deploys are not frozen yet, because too little is known of the window.';
}

function Objective({ status }: { readonly status: SloStatus }): View {
  const { id, budget, good, bad, period, sinceMs, exhaustionMs } = status;
  const anew = period === null ? '' : ` The budget begins anew on ${dateText(period.toMs)}.`;
  return h('div', { class: 'screen' }, [
    h('section', { class: 'panel' }, [
      h('header', {}, [h('h2', {}, id), h('span', { class: toneOf(status) }, levelText(status))]),
      h('dl', { class: 'tiles' }, [
        tile(
          'Budget left',
          budgetText(budget.share),
          `of ${durationText(budget.minutes * 60_000)} a total outage could take ${windowText(status)}`,
        ),
        tile('Minutes left', durationText(budget.minutesLeft * 60_000), 'of a total outage'),
        tile('Failures left', eventsText(status), `${countText(bad)} of ${countText(good + bad)} failed so far`),
        tile(
          'Gone in',
          exhaustionMs === null ? 'not in this window' : goneText(exhaustionMs),
          'at the rate of the last hour',
        ),
        tile('Time to page', pageText(status), 'if everything failed from now on'),
      ]),
      sinceMs === null
        ? h('p', { class: 'dim' }, 'Nothing has been counted yet.')
        : h('p', { class: 'dim' }, `Counted since ${dateText(sinceMs)}.${anew}`),
    ]),
    h(BudgetChart, { status }),
    h('section', { class: 'panel' }, [
      h('header', {}, [
        h('h2', {}, 'How fast it burns'),
        h('span', { class: 'dim' }, 'an alert fires while both of its windows are beyond the line'),
      ]),
      h(BulletBars, { status }),
    ]),
    h(SloLedger, { status }),
  ]);
}

function tile(title: string, value: string, note: string): View {
  return h('div', { key: title }, [
    h('dt', {}, title),
    h('dd', {}, [h('b', {}, value), h('span', { class: 'dim' }, note)]),
  ]);
}

function goneText(exhaustionMs: number): string {
  return exhaustionMs <= 0 ? 'it is gone' : durationText(exhaustionMs);
}

function pageText({ timeToPageMs }: SloStatus): string {
  if (timeToPageMs === null) return 'never';
  return timeToPageMs === 0 ? 'it pages now' : durationText(timeToPageMs);
}
