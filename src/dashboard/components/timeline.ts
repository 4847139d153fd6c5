/** What changed lately: marks on a line of the last hour, and the sentences, newest first. */
import { h } from 'preact';
import { useState } from 'preact/hooks';
import type { Change } from '../../gateway/control/change-log.ts';
import { clockText, dateText } from '../charts/format.ts';
import { changes } from '../changes.ts';
import { live } from '../feed.ts';
import type { View } from '../view.ts';

const SHOWN = 12;
const HOUR_MS = 3_600_000;

export function Timeline(): View {
  const [isAll, setAll] = useState(false);
  const all = changes.value;
  const shown = isAll ? all.slice(0, 200) : all.slice(0, SHOWN);
  return h('section', { class: 'panel' }, [
    h('header', {}, [h('h2', {}, 'Changes'), h('span', { class: 'dim' }, 'newest first; the line is the last hour')]),
    h(Marks, { all, nowMs: live.value?.atMs ?? 0 }),
    all.length === 0
      ? h('p', { class: 'dim' }, 'Nothing has changed since the gateway started.')
      : h(
          'ol',
          { class: 'changes' },
          shown.map((change) => h(ChangeLine, { key: change.id, change })),
        ),
    all.length > SHOWN
      ? h(
          'button',
          { class: 'quiet', onClick: () => setAll(!isAll) },
          isAll ? 'Fewer' : `All ${Math.min(200, all.length)}`,
        )
      : null,
  ]);
}

function ChangeLine({ change: { atMs, kind, tone, what } }: { readonly change: Change }): View {
  const at = new Date(atMs);
  return h('li', { class: tone }, [
    h('time', { dateTime: at.toISOString(), title: dateText(atMs) }, clockText(atMs)),
    h('span', { class: 'kind' }, kind),
    h('span', {}, what),
  ]);
}

function Marks({ all, nowMs }: { readonly all: readonly Change[]; readonly nowMs: number }): View {
  const recent = all.filter(({ atMs }) => nowMs - atMs < HOUR_MS);
  return h('svg', { class: 'moments', viewBox: '0 0 1200 14', preserveAspectRatio: 'none', 'aria-hidden': 'true' }, [
    h('path', { class: 'axis', d: 'M0 7H1200' }),
    recent.map(({ atMs, id, tone }) => {
      const x = 1200 - ((nowMs - atMs) / HOUR_MS) * 1200;
      return h('path', { key: id, class: tone, d: `M${x.toFixed(1)} 1V13` });
    }),
  ]);
}
