/**
 * The scripts of the store in Redis, put together from redis/*.lua: the arithmetic of an algorithm is written once, and stands in the script
 * of a take alone as statements, for there it is all that runs, and in that of many questions as functions.
 *
 * One script for a take alone of each algorithm and one for each set of algorithms that one call asks of: at most 5 and 31. What a
 * limit is set to is no part of the text, for a server keeps every script that it was ever sent.
 */
import { readFileSync } from 'node:fs';

import { RedisScript } from '../drivers/redis.ts';
import type { Algorithm } from './algorithm.ts';

type Kind = Algorithm['kind'];

function sourceOf(name: string): string {
  return readFileSync(new URL(`./redis/${name}.lua`, import.meta.url), 'utf8');
}

/** The pieces of a kernel, by name; see prelude.lua. */
function piecesOf(kind: Kind): ReadonlyMap<string, string> {
  const [, ...named] = sourceOf(kind).split(/^--@ (\w+)\n/m);
  const pieces = new Map<string, string>();
  for (let at = 0; at < named.length; at += 2) pieces.set(named[at]!, named[at + 1]!);
  return pieces;
}

/** A source with its lines “--@ name” replaced. */
function fill(source: string, pieces: Readonly<Record<string, string>>): string {
  return source.replaceAll(/^ *--@ (\w+)\n/gm, (_, name: string) => pieces[name]!);
}

/** The statements of a take. */
function takeOf(pieces: ReadonlyMap<string, string>): string {
  return [
    'local text, remaining\nlocal retry, reset = 0, 0\n',
    pieces.get('state'),
    pieces.get('room'),
    sourceOf('fit'),
    pieces.get('take'),
  ].join('');
}

/** The functions of a kernel by its verbs. */
function kernelOf(kind: Kind): string {
  const pieces = piecesOf(kind);
  const functions = [
    `take = function(raw, p1, p2, p3, cost, times, holder, look)\n${takeOf(pieces)}return granted, remaining, retry, reset, text, whole\nend,\n`,
  ];
  for (const verb of ['refund', 'release', 'renew']) {
    const piece = pieces.get(verb);
    if (piece === undefined) continue;
    functions.push(
      `${verb} = function(raw, p1, p2, p3, cost, holder)\nlocal text, done\n${pieces.get('state')}${piece}return text, done\nend,\n`,
    );
  }
  return `kernels['${kind}'] = {\n${functions.join('')}}\n`;
}

const takeScripts = new Map<Kind, RedisScript>();
const decideScripts = new Map<string, RedisScript>();

/** For a take alone. */
export function takeScript(kind: Kind): RedisScript {
  let script = takeScripts.get(kind);
  if (script === undefined) {
    const take = fill(sourceOf('take'), { take: takeOf(piecesOf(kind)), keep: sourceOf('keep') });
    takeScripts.set(kind, (script = new RedisScript(sourceOf('prelude') + take)));
  }
  return script;
}

/** For many questions, by all of their algorithms. */
export function decideScript(kinds: ReadonlySet<Kind>): RedisScript {
  const names = [...kinds].sort();
  const id = names.join(' ');
  let script = decideScripts.get(id);
  if (script === undefined) {
    const decide = fill(sourceOf('decide'), { kernels: names.map(kernelOf).join(''), keep: sourceOf('keep') });
    decideScripts.set(id, (script = new RedisScript(sourceOf('prelude') + decide)));
  }
  return script;
}
