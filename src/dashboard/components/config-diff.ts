/** Two texts as one: what went, what came, and a few lines around; the rest opens when it is asked for. */
import { h } from 'preact';
import { useMemo, useState } from 'preact/hooks';
import { type DiffLine, diffLines } from '../line-diff.ts';
import type { View } from '../view.ts';

/** Lines around a change. */
const CONTEXT = 3;
/** More than that at once makes a browser slow; a config of 10,000 lines is read in an editor. */
const LINES_MAX = 4000;

export function ConfigDiff({ before, after }: { readonly before: string; readonly after: string }): View {
  const lines = useMemo(() => diffLines(before.split('\n'), after.split('\n')), [before, after]);
  const [isWhole, setWhole] = useState(false);
  const changed = lines.filter(({ kind }) => kind !== 'same').length;
  const isSame = changed === 0;
  const shown = isWhole || isSame ? lines.map((line): DiffLine | null => line) : nearChanges(lines);
  return h('div', {}, [
    h('p', { class: 'dim' }, [
      before === after && isSame ? `${lines.length} lines. ` : `${changed} lines differ. `,
      isSame
        ? null
        : h(
            'button',
            { class: 'quiet', onClick: () => setWhole(!isWhole) },
            isWhole ? 'Only what differs' : 'All lines',
          ),
    ]),
    h(
      'pre',
      { class: 'diff', tabIndex: 0, role: 'region', 'aria-label': 'Text of the config' },
      shown
        .slice(0, LINES_MAX)
        .map((line) => (line === null ? h('span', { class: 'gap' }, '⋯\n') : h(LineView, { line }))),
    ),
    shown.length > LINES_MAX ? h('p', { class: 'dim' }, `… and ${shown.length - LINES_MAX} more lines.`) : null,
  ]);
}

const signs: Readonly<Record<DiffLine['kind'], string>> = { same: ' ', gone: '−', new: '+' };

function LineView({ line: { kind, text } }: { readonly line: DiffLine }): View {
  return h('span', { class: kind }, `${signs[kind]} ${text}\n`);
}

/** Null stands for lines left out. */
function nearChanges(lines: readonly DiffLine[]): (DiffLine | null)[] {
  const near = new Uint8Array(lines.length);
  lines.forEach(({ kind }, at) => {
    if (kind !== 'same') near.fill(1, Math.max(0, at - CONTEXT), at + CONTEXT + 1);
  });
  return lines.flatMap((line, at) => (near[at] === 1 ? [line] : at === 0 || near[at - 1] === 1 ? [null] : []));
}
