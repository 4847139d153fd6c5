/** The local stores, asked the same random questions as Redis and PostgreSQL. */
import { type Clock, systemClock } from '../../src/kernel/clock.ts';
import {
  createSharedMemory,
  type LocalStore,
  memoryStore,
  sharedMemoryStore,
  slidingLog,
} from '../../src/limit/index.ts';
import { agrees } from './agreement.ts';

/** For whatever is asked; a row for each. */
const widest = slidingLog({ limit: 30, per: 1 });

const stores: Readonly<Record<string, (clock: Clock) => LocalStore>> = {
  memory: (clock) => memoryStore({ clock }),
  'shared memory': (clock) => {
    return sharedMemoryStore(createSharedMemory({ keysMax: 100, algorithms: [widest], clock }), { clock });
  },
};

for (const [name, open] of Object.entries(stores)) {
  agrees(
    name,
    (nowUs) => {
      const nowMs = (): number => nowUs() / 1000;
      return { store: open({ ...systemClock, nowMs, wallMs: nowMs }), forgets: false };
    },
    1000,
  );
}
