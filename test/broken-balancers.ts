/** Balancers with one bug each, and the clause of the contract that must find it. Loaded by name, also in threads. */
import {
  type Balancer,
  type BalancerOptions,
  createBalancer,
  createLoads,
  type PickContext,
} from '../src/balance/index.ts';
import { createRandom } from '../src/kernel/random.ts';
import type { BalancerKind } from '../src/testing/index.ts';

interface Bug {
  readonly kind: BalancerKind;
  readonly clause: RegExp;
  readonly create: (options: BalancerOptions) => Balancer;
}

const picking = (pick: (context: PickContext) => number): Balancer => ({ pick });

/** Somewhere for what is allocated to escape to, so that it is allocated. */
const escaped: { last: object | null } = { last: null };

export const bugs = {
  'forgets who is out': {
    kind: 'chance',
    clause: /only who may be picked/,
    create(options) {
      const inner = createBalancer('random', options);
      const all = new Uint8Array(options.weights.length).fill(1);
      return picking((context) => inner.pick({ ...context, eligible: all }));
    },
  },
  'says 0 when there is nobody': {
    kind: 'turn',
    clause: /only who may be picked/,
    create(options) {
      const inner = createBalancer('round-robin', options);
      return picking((context) => (context.eligible.length === 0 ? -1 : Math.max(0, inner.pick(context))));
    },
  },
  'picks one behind the last': {
    kind: 'chance',
    clause: /only who may be picked/,
    create(options) {
      const inner = createBalancer('random', options);
      let made = 0;
      return picking((context) => (++made % 1000 === 0 ? context.eligible.length : inner.pick(context)));
    },
  },
  'leaves its marks in the mask': {
    kind: 'load',
    clause: /only who may be picked/,
    create(options) {
      const inner = createBalancer('two-choices', options);
      return picking((context) => {
        const index = inner.pick(context);
        if (index >= 0 && context.nowMs % 7 === 0) context.eligible[index] = 0;
        return index;
      });
    },
  },
  'has a use for endpoints without weight': {
    kind: 'chance',
    clause: /a weight of 0/,
    create: (options) =>
      createBalancer('random', { ...options, weights: options.weights.map((weight) => weight || 1) }),
  },
  'knows no weights': {
    kind: 'load',
    clause: /picks follow the weights/,
    create: (options) =>
      createBalancer('least-connections', {
        ...options,
        weights: options.weights.map((weight) => (weight > 0 ? 1 : weight)),
      }),
  },
  'gives the turns of one that is out to its neighbour': {
    kind: 'turn',
    clause: /no neighbour inherits/,
    create(options) {
      const inner = createBalancer('round-robin', options);
      const all = new Uint8Array(options.weights.length).fill(1);
      return picking((context) => {
        let index = inner.pick({ ...context, eligible: all });
        for (let step = 0; step < all.length && context.eligible[index] === 0; step++) index = (index + 1) % all.length;
        return context.eligible[index] === 1 ? index : -1;
      });
    },
  },
  'takes turns in blocks': {
    kind: 'turn',
    clause: /two picks from its share/,
    create({ weights }) {
      const turns = weights.flatMap((weight, index) =>
        new Array<number>(Math.min(1000, Math.ceil(weight))).fill(index),
      );
      let next = 0;
      return picking(() => turns[next++ % turns.length] ?? -1);
    },
  },
  'floods who has just come': {
    kind: 'load',
    clause: /warms up gets less/,
    create(options) {
      const inner = createBalancer('least-connections', options);
      return picking((context) => inner.pick({ ...context, ramp: null }));
    },
  },
  allocates: {
    kind: 'chance',
    clause: /allocates nothing/,
    create(options) {
      const inner = createBalancer('random', options);
      return picking((context) => {
        const picked = { index: inner.pick(context) };
        escaped.last = picked;
        return picked.index;
      });
    },
  },
  'takes any weight': {
    kind: 'chance',
    clause: /mean nothing are refused/,
    create: (options) =>
      createBalancer('random', {
        ...options,
        weights: options.weights.map((weight) => (weight > 0 && weight < 2e6 ? weight : 0)),
      }),
  },
  'is a remainder': {
    kind: 'key',
    clause: /keys follow the names/,
    create({ weights }) {
      return picking(({ keyHash, eligible }) => {
        const left = [...eligible.keys()].filter((index) => eligible[index] === 1 && weights[index]! > 0);
        return left[(keyHash >>> 0) % left.length] ?? -1;
      });
    },
  },
  'hashes in each thread by another seed': {
    kind: 'key',
    clause: /every thread that has the same list/,
    create(options) {
      const inner = createBalancer('maglev', options);
      const seed = seedOfThread;
      return picking((context) => inner.pick({ ...context, keyHash: Math.imul(context.keyHash ^ seed, 0x9e3779b1) }));
    },
  },
  'counts for itself': {
    kind: 'load',
    clause: /what other threads have started counts/,
    create(options) {
      const own = createLoads(options.weights.length);
      const inner = createBalancer('least-connections', { ...options, loads: own });
      return picking((context) => {
        const index = inner.pick(context);
        if (index >= 0) own.started(index, context.nowMs);
        return index;
      });
    },
  },
} as const satisfies Readonly<Record<string, Bug>>;

const seedOfThread = createRandom().int32();
