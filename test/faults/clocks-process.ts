/** A process under test that tells the time, and ticks. */
import { systemClock } from '../../src/kernel/clock.ts';
import { answerQuestions, say } from './worker.ts';

export interface Clocks {
  readonly wallMs: number;
  readonly monotonicMs: number;
}

export interface ClocksQuestion {
  readonly verb: 'clocks' | 'tick' | 'fail' | 'exit';
}

const clocks = (): Clocks => ({ wallMs: Date.now(), monotonicMs: performance.now() });

await answerQuestions((question) => {
  const { verb } = question as ClocksQuestion;
  switch (verb) {
    case 'clocks':
      return clocks();
    case 'tick': {
      let tick = 0;
      const next = (): void => {
        say({ tick: tick++ });
        systemClock.after(5, next);
      };
      return next();
    }
    case 'fail':
      throw new Error('asked to fail');
    case 'exit':
      console.error('asked to end');
      return process.exit(3);
    default:
      return verb satisfies never;
  }
});
