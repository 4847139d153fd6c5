/** How full a limit is and how much it refuses, each as a bar and its number: of the gateway's limits and of services' alike. */
import { h } from 'preact';
import type { Fullness } from '../../limit/filled.ts';
import { shareText } from '../charts/format.ts';
import type { View } from '../view.ts';

/** From here on the next requests may be refused. */
const NEARLY_FULL = 0.9;

export function FullnessBar({ fullness }: { readonly fullness: Fullness | null }): View {
  if (fullness === null) return h('span', { class: 'dim' }, '–');
  const { most, usual } = fullness;
  const tone = most >= NEARLY_FULL ? 'warn' : '';
  const title = `Half of the requests met a key that had used at most ${shareText(usual)}`;
  return h('span', { title }, h(Bar, { share: most, tone, text: most === 1 ? 'full' : `≤ ${shareText(most)}` }));
}

/** What is refused. */
export function RefusedBar({ refused }: { readonly refused: number | null }): View {
  if (refused === null) return h('span', { class: 'dim' }, '–');
  return h(Bar, { share: refused, tone: refused > 0 ? 'bad' : 'dim', text: shareText(refused) });
}

/** A bar, and the number. */
function Bar(props: { readonly share: number; readonly tone: string; readonly text: string }): View {
  const { share, text, tone } = props;
  return h('span', { class: 'pressure' }, [
    h('svg', { width: 48, height: 8, 'aria-hidden': 'true' }, [
      h('rect', { class: 'ground', width: 48, height: 8, rx: 2 }),
      h('rect', { class: tone, width: 48 * share, height: 8, rx: 2 }),
    ]),
    h('span', { class: tone }, text),
  ]);
}
