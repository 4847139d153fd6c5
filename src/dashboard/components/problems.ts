/** What is wrong now, in words: the first thing on the overview. Nothing wrong is said too. */
import { h } from 'preact';
import { durationText } from '../charts/format.ts';
import { live } from '../feed.ts';
import type { View } from '../view.ts';

export function Problems(): View {
  const { atMs = 0, problems = [] } = live.value ?? {};
  if (problems.length === 0) return h('p', { class: 'problems none', role: 'status' }, 'Nothing is wrong.');
  return h(
    'ul',
    { class: 'problems', 'aria-label': 'What is wrong now', 'aria-live': 'polite' },
    problems.map(({ severity, what, link, since }) =>
      h('li', { key: what, class: severity }, [
        h('a', { href: link }, what),
        // New each second, and not to be read out as often.
        since === null
          ? null
          : h('span', { class: 'dim', 'aria-live': 'off' }, ` for ${durationText(atMs - Date.parse(since))}`),
      ]),
    ),
  );
}
