/**
 * Config: the versions that were in force, what differs between two of them, a trial that runs, and the way back. Rollback and reload ask
 * once more and are in the audit log.
 */
import { h } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { rowsOf, type VersionRow } from '../../gateway/admin/live-model.ts';
import type { CanaryState } from '../../gateway/control/gateway-state.ts';
import { ApiError, getJson, postJson, whyReadOnly } from '../api.ts';
import { dateText, durationText, shareText } from '../charts/format.ts';
import { ask } from '../components/confirm.ts';
import { ConfigDiff } from '../components/config-diff.ts';
import { type Column, Table } from '../components/table.ts';
import { live } from '../feed.ts';
import { place, setQuery } from '../router.ts';
import type { View } from '../view.ts';

export function ConfigScreen(): View {
  const { gateway, tables } = live.value!;
  const versions = rowsOf(tables.versions);
  const { query } = place.value;
  const newest = versions[0]?.version ?? 0;
  const to = Number(query.get('to') ?? newest);
  const from = Number(query.get('from') ?? Math.max(versions.at(-1)?.version ?? 1, to - 1));
  const readOnly = whyReadOnly();
  return h('div', { class: 'screen' }, [
    h('section', { class: 'panel' }, [
      h('header', {}, [
        h('h2', {}, 'Config'),
        h('span', { class: 'dim' }, gateway.file ?? 'given by the program'),
        h(
          'button',
          {
            class: 'end',
            disabled: readOnly !== undefined,
            title: readOnly,
            onClick: askReload,
          },
          'Reload',
        ),
      ]),
      gateway.reloadRefused === null
        ? null
        : h('p', { class: 'bad' }, `The last config was refused: ${gateway.reloadRefused}`),
      gateway.pendingRestart.map((line) =>
        h('p', { key: line, class: 'warn' }, `Only a new process can give: ${line}`),
      ),
      gateway.canary === null ? null : h(Canary, { canary: gateway.canary, atMs: live.value!.atMs }),
      h(Table<VersionRow>, {
        ...{ id: 'v', label: 'versions of the config', columns: columns(newest, from, to), rows: versions },
        keyOf: ({ version }) => String(version),
        empty: 'No config is in force yet.',
      }),
    ]),
    h(Comparison, { key: `${from} ${to}`, from, to }),
  ]);
}

function columns(newest: number, from: number, to: number): readonly Column<VersionRow>[] {
  const choose = (which: 'from' | 'to', chosen: number): Column<VersionRow> => ({
    ...{ id: which, title: which === 'from' ? 'Before' : 'After', kind: 'text', value: () => null },
    show: ({ version }) =>
      h('input', {
        ...{
          type: 'radio',
          name: which,
          checked: version === chosen,
          onChange: () => setQuery({ [which]: String(version) }),
        },
        'aria-label': `Compare version ${version} as the one ${which === 'from' ? 'before' : 'after'}`,
      }),
  });
  return [
    {
      ...{ id: 'version', title: 'Version', kind: 'text' },
      value: ({ version }) => version,
      show: ({ version }) => [
        h('b', {}, String(version)),
        version === newest ? h('span', { class: 'tag' }, ' in force') : null,
      ],
    },
    choose('from', from),
    choose('to', to),
    {
      id: 'at',
      title: 'In force since',
      kind: 'text',
      value: ({ appliedAt }) => appliedAt,
      show: ({ appliedAt }) => dateText(Date.parse(appliedAt)),
    },
    {
      id: 'cause',
      title: 'By',
      kind: 'text',
      value: ({ cause, restored }) => (restored === null ? cause : `${cause} to ${restored}`),
    },
    { id: 'changes', title: 'Changes', value: ({ changes }) => changes },
    {
      id: 'fingerprint',
      title: 'Fingerprint',
      kind: 'text',
      value: ({ fingerprint }) => fingerprint,
      show: ({ fingerprint }) => h('code', {}, fingerprint),
    },
    {
      ...{ id: 'back', title: '', kind: 'text', value: () => null },
      show: ({ version }) =>
        version === newest
          ? null
          : h(
              'button',
              {
                ...{ class: 'row', disabled: whyReadOnly() !== undefined, onClick: () => askRollback(version, newest) },
                'aria-label': `Roll back to version ${version}`,
              },
              'Roll back',
            ),
    },
  ];
}

function askReload(): void {
  ask({
    title: 'Read the config again?',
    says: [
      'The file is read and checked. A valid one is put in force on all workers, a faulty one changes nothing.',
      'A config on trial ends with it.',
    ],
    verb: 'Reload',
    run: async () => outcomeText(await postJson<Outcome>('/api/reload')),
  });
}

function askRollback(version: number, newest: number): void {
  ask({
    title: `Roll back to version ${version}?`,
    says: [
      `All workers go by version ${version} again, as version ${newest + 1}. Who may call the admin API stays as it is.`,
      'The file is not changed: the next reload reads it again.',
    ],
    verb: 'Roll back',
    run: async () => outcomeText(await postJson<Outcome>('/api/rollback', { version })),
  });
}

interface Outcome {
  readonly kind: 'applied' | 'unchanged';
  readonly version: number;
  readonly changes?: readonly string[];
}

function outcomeText({ kind, version, changes = [] }: Outcome): string {
  if (kind === 'unchanged') return `Nothing differs from version ${version}, which is in force.`;
  return [`Version ${version} is in force.`, ...changes.slice(0, 10)].join('\n');
}

function Canary({ canary, atMs }: { readonly canary: CanaryState; readonly atMs: number }): View {
  const { file, others, phase, reason, share, until } = canary;
  const leftMs = Date.parse(until) - atMs;
  const tone = phase === 'rolled-back' ? 'bad' : phase === 'promoted' ? 'good' : 'warn';
  return h('div', { class: 'canary' }, [
    h('p', {}, [
      h('b', { class: tone }, phase === 'watching' ? 'On trial' : phase),
      ` ${file ?? 'a config of the program'} on ${shareText(share)} of the connections`,
      phase === 'watching' ? `, ${durationText(Math.max(0, leftMs))} left` : '',
      reason === null ? '' : `: ${reason}`,
    ]),
    h('dl', {}, [h('dt', {}, 'On trial'), h('dd', {}, canary.canary), h('dt', {}, 'Others'), h('dd', {}, others)]),
  ]);
}

interface Texts {
  readonly before: string;
  readonly after: string;
}

function Comparison({ from, to }: { readonly from: number; readonly to: number }): View {
  const [texts, setTexts] = useState<Texts | string>('Reading…');
  useEffect(() => {
    const gone = new AbortController();
    const read = (version: number) => getJson<{ text: string }>(`/api/config/${version}`, gone.signal);
    Promise.all([read(from), read(to)]).then(
      ([before, after]) => setTexts({ before: before.text, after: after.text }),
      (error: unknown) => {
        if (!gone.signal.aborted) setTexts(error instanceof ApiError ? error.message : 'The texts could not be read.');
      },
    );
    return () => gone.abort();
  }, [from, to]);
  return h('section', { class: 'panel' }, [
    h('header', {}, [
      h('h2', {}, from === to ? `Version ${to}` : `From version ${from} to ${to}`),
      h('span', { class: 'dim' }, 'with every default, times in ms, sizes in bytes, secrets left out'),
    ]),
    typeof texts === 'string' ? h('p', { class: 'dim' }, texts) : h(ConfigDiff, texts),
  ]);
}
