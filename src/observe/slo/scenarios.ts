/**
 * What a service may go through, as counts a step: the stories that rules are tested with. Pure.
 *
 * A step is a scrape; it is as long as a fifth of the shortest window, so that every window has some, and a test has hundreds of
 * steps and not thousands.
 */
import { alertWindowsS, burnAlerts } from './burn-alerts.ts';
import { errorBudget, type Slo } from './objective.ts';

export interface Step {
  readonly good: number;
  readonly bad: number;
  /** The scrape of this step is lost. */
  readonly gap: boolean;
  /** Counters begin again at 0 before this step, as after a restart. */
  readonly reset: boolean;
}

export interface Scenario {
  readonly name: string;
  readonly steps: readonly Step[];
}

/** Finer than this no scraper is. */
const STEP_S_MIN = 10;
/** A scenario that is longer shows nothing more. */
const STEPS_MAX = 1000;

export function stepS(slo: Slo): number {
  return Math.max(STEP_S_MIN, Math.floor((alertWindowsS(slo)[0] ?? 0) / 5));
}

export function scenariosOf(slo: Slo): readonly Scenario[] {
  const budget = errorBudget(slo);
  const [fastest] = burnAlerts(slo).filter(({ reachable }) => reachable);
  const steps = (seconds: number): number => Math.ceil(seconds / stepS(slo));
  const longS = fastest?.longS ?? 0;
  const shortest = steps(alertWindowsS(slo)[0] ?? 0);
  // Long enough for the fastest alert, whatever the objective, and not so long that nothing else is seen.
  const outage = Math.ceil(steps(longS * (fastest?.threshold ?? 0)) * 1.2) + 2;
  const calm = steps(longS);
  const clear = Math.min(STEPS_MAX, steps(burnAlerts(slo).at(-1)?.shortS ?? 0) + 2 * shortest);
  const tail = STEPS_MAX - calm - outage;
  const good = repeat(ratio(0));
  const all = repeat({ good: 0, bad: PER_STEP });
  return [
    { name: 'half the budget is spent: nobody is told', steps: repeat(ratio(budget / 2))(calm) },
    { name: 'the budget is spent twice too fast: a ticket and no page', steps: repeat(ratio(2 * budget))(calm) },
    {
      name: 'a total outage begins and ends, and the last alert goes with the last short window',
      steps: [...good(calm), ...all(outage), ...good(Math.max(0, Math.min(clear, tail)))],
    },
    {
      name: 'a restart resets the counters: that is no outage, and hides none',
      steps: [...good(calm), ...restarted(good(shortest)), ...restarted(all(outage)), ...good(shortest * 2)],
    },
    {
      name: 'scrapes are lost, before an outage and in the midst of it',
      steps: [
        ...good(calm),
        ...lost(good(shortest * 2)),
        ...all(outage),
        ...lost(all(shortest)),
        ...all(shortest),
        ...good(shortest * 2),
      ],
    },
    { name: 'no traffic: no share, and no alert', steps: repeat({ good: 0, bad: 0 })(calm) },
    {
      name: 'little traffic: one failure among twelve requests in the long window of the fastest alert',
      steps: sparse(calm * 2, Math.max(1, Math.round(calm / 12))),
    },
  ];
}

const PER_STEP = 600;

/** Requests of a step of which this share fails; enough of them that at least one does. */
function ratio(share: number): Omit<Step, 'gap' | 'reset'> {
  if (share <= 0) return { good: PER_STEP, bad: 0 };
  const failing = Math.min(share, 1);
  const bad = Math.max(1, Math.round(PER_STEP * failing));
  return { good: Math.max(0, Math.round(bad / failing) - bad), bad };
}

function repeat(step: Omit<Step, 'gap' | 'reset'>): (count: number) => Step[] {
  return (count) => Array.from({ length: Math.max(0, count) }, () => ({ ...step, gap: false, reset: false }));
}

function restarted([first, ...rest]: readonly Step[]): Step[] {
  return first === undefined ? [] : [{ ...first, reset: true }, ...rest];
}

function lost(steps: readonly Step[]): Step[] {
  return steps.map((step) => ({ ...step, gap: true }));
}

/** A request each so many steps, one of which fails, in the middle. */
function sparse(count: number, every: number): Step[] {
  const failsAt = Math.floor(count / every / 2) * every;
  return Array.from({ length: count }, (_, at) => {
    const requests = at % every === 0 ? 1 : 0;
    const bad = at === failsAt ? 1 : 0;
    return { good: requests - bad, bad, gap: false, reset: false };
  });
}
