/**
 * Lines of logs that the gateway has been sent or has written: those of a trace as one reads them, others the newest first, each with a way to its
 * trace. How grave they are at least is chosen here, and in the address.
 */
import { h } from 'preact';
import type { LogLevel } from '../../observe/log/levels.ts';
import type { LogRecord } from '../../observe/log/recent.ts';
import { clockText } from '../charts/format.ts';
import { hashOf, place, setQuery } from '../router.ts';
import type { View } from '../view.ts';
import { useWatched } from '../watched.ts';
import { Asking } from './asking.ts';

const EVERY_S = 3;
const LIMIT = '100';
/** Of `trace` on is all. */
const levels: readonly LogLevel[] = ['debug', 'info', 'warn', 'error', 'fatal'];

export interface LogsWanted {
  readonly traceId?: string;
  readonly text?: string;
}

export function LogLines({ title, wanted }: { readonly title: string; readonly wanted: LogsWanted }): View {
  const level = place.value.query.get('level') ?? '';
  const query = new URLSearchParams(
    Object.entries({ ...wanted, level, limit: LIMIT }).filter(
      (pair): pair is [string, string] => (pair[1] ?? '') !== '',
    ),
  );
  const { value, problem } = useWatched(
    EVERY_S,
    [`/api/logs?${query}`],
    ([found]: readonly [{ readonly lines: readonly LogRecord[] }]) => found,
  );
  const isTrace = wanted.traceId !== undefined;
  return h('section', { class: 'panel' }, [
    h('header', {}, [
      h('h2', {}, title),
      h('span', { class: 'dim' }, isTrace ? 'in the order of time' : 'the newest first'),
      h(LevelChoice, { level }),
    ]),
    value === null
      ? problem?.status === 404
        ? h('p', { class: 'dim' }, 'This gateway keeps no log lines.')
        : h(Asking, { problem })
      : value.lines.length === 0
        ? h('p', {}, [
            'No line is kept that fits. ',
            h('span', { class: 'dim' }, [
              'Services add theirs by sending OTLP to ',
              h('code', {}, '/v1/logs'),
              ' here, as those do that call ',
              h('code', {}, 'instrument()'),
              '.',
            ]),
          ])
        : h(
            'ol',
            { class: 'log-lines', tabIndex: 0, role: 'region', 'aria-label': title },
            value.lines
              .toSorted((one, other) => (isTrace ? one.timeMs - other.timeMs : other.timeMs - one.timeMs))
              .map((record, at) => h(Line, { key: `${record.timeMs} ${at}`, record, isHere: isTrace })),
          ),
  ]);
}

function LevelChoice({ level }: { readonly level: string }): View {
  const choose = (event: Event): void => setQuery({ level: (event.target as HTMLSelectElement).value });
  return h('label', { class: 'end' }, [
    'Level ',
    h('select', { value: level, onChange: choose }, [
      h('option', { value: '' }, 'all'),
      ...levels.map((each) => h('option', { key: each, value: each }, each === 'fatal' ? each : `${each} or graver`)),
    ]),
  ]);
}

/** `isHere`: its trace is what is looked at. */
function Line({ record, isHere }: { readonly record: LogRecord; readonly isHere: boolean }): View {
  const { timeMs, level, service, message, traceId, attributes } = record;
  return h('li', { class: level }, [
    h('time', {}, clockText(timeMs, true)),
    h('b', {}, level),
    h('span', { class: 'dim' }, service),
    h('span', {}, [
      message,
      ...Object.entries(attributes).map(([name, value]) =>
        h('span', { key: name, class: 'dim' }, ` ${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`),
      ),
    ]),
    traceId === '' || isHere ? null : h('a', { href: hashOf('traces', { id: traceId }) }, 'trace'),
  ]);
}
