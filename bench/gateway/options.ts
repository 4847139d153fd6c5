/** The command line of `npm run bench -- gateway`. */
import { availableParallelism, userInfo } from 'node:os';
import { parseArgs } from 'node:util';
import { cases, type Case } from './cases.ts';
import type { Contender } from './contender.ts';
import { bare } from './contenders/bare.ts';
import { direct } from './contenders/direct.ts';
import { haproxy } from './contenders/haproxy.ts';
import { nginx } from './contenders/nginx.ts';
import { limited, plain, policy } from './contenders/policy.ts';
import { createSpillway } from './contenders/spillway.ts';

export interface Options {
  readonly cases: readonly Case[];
  readonly contenders: readonly Contender[];
  /** By name, whom a case may ask for. */
  readonly known: ReadonlyMap<string, Contender>;
  /** The name that ratios are to. */
  readonly reference: string;
  readonly rounds: number;
  readonly durationS: number;
  /** Closed loads take turns of this length; 0: they run one after the other. */
  readonly turnMs: number;
  readonly proxyCore: string;
  readonly loadCores: string;
  readonly format: 'text' | 'json' | 'markdown';
  /** Priority of everything that is measured or measures; below 0 only root may. */
  readonly nice: number;
  /** Overrides the rate of cases with a schedule, requests per second. */
  readonly rate: number | null;
}

export const usage = `Usage: npm run bench -- gateway [options]

  --cases a,b          which cases; default: all (--list shows them)
  --contenders a,b     who runs; default: spillway and those of --against
  --against a,b        beside Spillway: nginx, haproxy, bare, direct; default: nginx,haproxy
  --variant NAME=K=V   also run Spillway with an environment variable set, as spillway-NAME; may be repeated
  --reference NAME     whom ratios are to; default: haproxy, else the first
  --rounds N           interleaved rounds; default: 5
  --duration S         seconds of load in a round; default: 4
  --turns MS           closed loads, of fresh processes in each round, take turns of so many ms: for ratios on a machine that
                       others use; tells no latencies, and leaves the case “everything” as it is
  --rate N             requests per second for cases with a schedule; default: half of the reference's peak
  --proxy-core N       default: the last core
  --load-cores LIST    default: all others
  --nice N             priority of proxies, load and origin; default: -15 as root (what else runs disturbs less), else 0
  --json, --markdown   output for machines, or for docs/benchmarks.md; default: a table
`;

/** Throws an Error with a message for people on any mistake. */
export function parseOptions(args: readonly string[]): Options | 'help' | 'list' {
  const { values } = parseArgs({
    args: [...args],
    options: {
      cases: { type: 'string' },
      contenders: { type: 'string' },
      against: { type: 'string', default: 'nginx,haproxy' },
      variant: { type: 'string', multiple: true, default: [] },
      reference: { type: 'string' },
      rounds: { type: 'string', default: '5' },
      duration: { type: 'string', default: '4' },
      turns: { type: 'string' },
      rate: { type: 'string' },
      nice: { type: 'string', default: userInfo().uid === 0 ? '-15' : '0' },
      'proxy-core': { type: 'string' },
      'load-cores': { type: 'string' },
      json: { type: 'boolean', default: false },
      markdown: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return 'help';
  if (values.list) return 'list';
  const known = new Map<string, Contender>(
    [createSpillway({ name: '', env: {} }), nginx, haproxy, bare, direct].map((one) => [one.name, one]),
  );
  const variants = values.variant.map(variantOf);
  for (const one of [plain, policy, limited, ...variants]) known.set(one.name, one);
  const names = words(values.contenders ?? ['spillway', ...variants.map(({ name }) => name), values.against].join(','));
  const contenders = names.map((name) => oneOf(known, name, 'contender'));
  const caseMap = new Map(cases.map((one) => [one.name, one]));
  const cores = availableParallelism();
  if (cores < 2) throw new Error('the benchmark needs two cores: one for the proxy, one for the load');
  return {
    cases: values.cases === undefined ? cases : words(values.cases).map((name) => oneOf(caseMap, name, 'case')),
    contenders,
    known,
    reference: values.reference ?? (names.includes('haproxy') ? 'haproxy' : (names[0] ?? '')),
    rounds: numberOf('rounds', values.rounds),
    durationS: numberOf('duration', values.duration),
    turnMs: values.turns === undefined ? 0 : numberOf('turns', values.turns),
    rate: values.rate === undefined ? null : numberOf('rate', values.rate),
    nice: Number(values.nice),
    proxyCore: values['proxy-core'] ?? String(cores - 1),
    loadCores: values['load-cores'] ?? (cores === 2 ? '0' : `0-${cores - 2}`),
    format: values.json ? 'json' : values.markdown ? 'markdown' : 'text',
  };
}

function words(text: string): string[] {
  return text.split(',').filter((word) => word !== '');
}

function oneOf<T>(known: ReadonlyMap<string, T>, name: string, what: string): T {
  const found = known.get(name);
  if (found === undefined) throw new Error(`no ${what} is called “${name}”; there are ${[...known.keys()].join(', ')}`);
  return found;
}

function numberOf(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new Error(`--${name} takes a whole number from 1, not “${text}”`);
  return value;
}

function variantOf(text: string): Contender {
  const [, name = '', key = '', value = ''] = /^([a-z0-9]+)=([A-Z_a-z0-9]+)=(.*)$/.exec(text) ?? [];
  if (name === '') throw new Error(`--variant takes NAME=KEY=VALUE, not “${text}”`);
  return createSpillway({ name, env: { [key]: value } });
}
