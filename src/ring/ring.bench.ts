/**
 * What hashing, looking up, building and planning cost, beside the two rings that npm serves most. Run: `npm run bench -- ring`.
 *
 * Time of this process's own CPU, the best of several rounds: on a busy machine the clock on the wall measures the others. All rings
 * have 100 nodes of 160 points. hashring keeps the last 5,000 keys and their nodes; consistent-hash draws its points by lot.
 */
// @ts-expect-error It has no types.
import ConsistentHash from 'consistent-hash';
import HashRing from 'hashring';
import { createIpHash } from '../balance/ip-hash.ts';
import { createConsistentHash } from '../balance/consistent-hash.ts';
import { createLoads } from '../balance/loads.ts';
import { createMaglevBalancer } from '../balance/maglev.ts';
import { createPickContext } from '../balance/balancer.ts';
import { xxh64 } from '../kernel/xxh64.ts';
import { createAnchor } from './anchor.ts';
import { createJump } from './jump.ts';
import { createMaglev } from './maglev.ts';
import { createModulo } from './modulo.ts';
import type { Placement } from './placement.ts';
import { plan } from './plan.ts';
import { createRendezvous } from './rendezvous.ts';
import { createRing } from './ring.ts';

const ROUNDS = 7;
const NODES = 100;
const POINTS = 160;
/** So many keys that a branch predictor cannot learn their order. */
const KEYS = 2 ** 16;

function cpuNs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) * 1000;
}

let sink = 0;

/** Best CPU time of one call of `work`, which is called `count` times a round. */
function best(count: number, work: (index: number) => number): number {
  let bestNs = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const before = cpuNs();
    for (let index = 0; index < count; index++) sink += work(index);
    bestNs = Math.min(bestNs, (cpuNs() - before) / count);
  }
  return bestNs;
}

function say(what: string, ns: number): void {
  const value = ns < 10_000 ? `${ns.toFixed(1)} ns` : `${(ns / 1e6).toFixed(2)} ms`;
  process.stdout.write(`${what.padEnd(58)} ${value.padStart(12)}\n`);
}

const names = Array.from({ length: NODES }, (_, index) => `node-${index}`);
const keys = Array.from({ length: KEYS }, (_, index) => `user:${1_000_000 + index}`);
const positions = Int32Array.from(keys, (key) => xxh64(key));
const ring = createRing(names, { pointsPerWeight: POINTS });

say(
  'XXH64 of a string of 12 characters',
  best(2e6, (at) => xxh64(keys[at % KEYS]!)),
);
say(
  'get of a position, 100 nodes × 160 points',
  best(5e6, (at) => ring.get(positions[at % KEYS]!)!.length),
);
say(
  'get of a string of 12 characters, the same ring',
  best(2e6, (at) => ring.get(keys[at % KEYS]!)!.length),
);
const compatible = createRing(names, { compatible: 'hashring' });
say(
  'the same by the ring that is compatible with hashring (MD5)',
  best(2e5, (at) => compatible.get(keys[at % KEYS]!)!.length),
);

interface Peer {
  get(key: string): string;
  add(name: string): unknown;
}
type PeerClass = new (options: { readonly range: number; readonly controlPoints: number }) => Peer;
/** Each made of so many nodes; the first `get` is where consistent-hash sorts. */
const peers: Readonly<Record<string, (some: readonly string[]) => Peer>> = {
  hashring: (some) => new HashRing([...some]),
  'consistent-hash': (some) => {
    const peer = new (ConsistentHash as PeerClass)({ range: 2 ** 32, controlPoints: POINTS });
    for (const name of some) peer.add(name);
    return peer;
  },
};
for (const [name, create] of Object.entries(peers)) {
  const peer = create(names);
  say(
    `${name}: get of one of ${KEYS} strings`,
    best(2e5, (at) => peer.get(keys[at % KEYS]!).length),
  );
  say(
    `${name}: get of one of 1,000 strings`,
    best(2e5, (at) => peer.get(keys[at % 1000]!).length),
  );
  say(
    `${name}: add a node`,
    best(3, (at) => {
      peer.add(`more-${at}`);
      return peer.get('user:42').length;
    }),
  );
}

const placements: readonly Placement[] = [
  ring,
  createMaglev(names),
  createAnchor(names),
  createJump(names),
  createModulo(names),
  createRendezvous(names),
  createRendezvous(names.map((name, index) => ({ name, weight: 1 + (index % 3) }))),
];
const one = new Uint8Array(NODES).fill(1).with(1, 0);
for (const placement of placements) {
  const weighted = placement.nodes.some(({ weight }) => weight !== 1) ? ', weighted' : '';
  const locate = (at: number): number => placement.locate(positions[at % KEYS]!, null);
  say(`${placement.algorithm}${weighted}: locate`, best(1e6, locate));
  say(
    `${placement.algorithm}${weighted}: locate, one of 100 out`,
    best(1e6, (at) => placement.locate(positions[at % KEYS]!, one)),
  );
}

const more = [...names, 'node-100'];
say(
  'add a node to 100 × 160 points',
  best(10, () => ring.with(more).nodes.length),
);
say(
  'build 100 × 512 points',
  best(5, () => createRing(names).nodes.length),
);
say(
  'build a Maglev table of 100 nodes',
  best(5, () => createMaglev(names).nodes.length),
);
const grown = ring.with(more);
say(
  'plan 100 → 101 nodes × 160 points',
  best(10, () => plan(ring, grown).moves.length),
);
const rendezvous = createRendezvous(names);
const raced = rendezvous.with(more);
say(
  'plan 100 → 101 nodes, rendezvous',
  best(10, () => plan(rendezvous, raced).moves.length),
);

for (const [name, create] of Object.entries({
  'ip-hash': createIpHash,
  'consistent-hash': createConsistentHash,
  maglev: createMaglevBalancer,
})) {
  const loads = createLoads(NODES);
  for (let index = 0; index < NODES; index++)
    for (let work = 0; work < 8 + (index % 5); work++) loads.started(index, 0);
  const balancer = create({ weights: names.map(() => 1), names, loads });
  const context = createPickContext(NODES);
  context.eligible[1] = 0;
  const pick = (at: number): number => {
    context.keyHash = positions[at % KEYS]!;
    return balancer.pick(context);
  };
  say(`balancer ${name}: pick among 100 at work, one out`, best(2e6, pick));
}
if (Number.isNaN(sink)) process.exitCode = 1;
