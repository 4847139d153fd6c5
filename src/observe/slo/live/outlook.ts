/**
 * What comes if things go on so: when the budget is gone, and how soon a total outage would page. Pure arithmetic on what is known of the
 * windows; traffic is taken to stay as it was over the long window.
 */
import { type KnownWindow, secondsToProof, type WindowCount } from './known-window.ts';

export interface Outlook extends KnownWindow {
  readonly short: WindowCount;
  readonly failuresMin: number;
}

/**
 * Seconds of a total outage until an alert fires; 0 if it does already, null without traffic. After t seconds a window holds what it held,
 * less what has left it at its end, and what has come: all of that failed.
 */
export function secondsToFire(outlook: Outlook): number | null {
  const { alert, long, short, knownS, failuresMin } = outlook;
  const { longS, shortS, threshold } = alert;
  const rate = long.total / Math.min(longS, Math.max(knownS, 1));
  if (rate <= 0) return null;
  const until = ({ bad, total }: WindowCount, windowS: number): number => {
    const left = threshold * total - bad;
    if (left < 0) return 0;
    const leaving = knownS >= windowS ? total / windowS : 0;
    return Math.min(windowS, left / (rate - threshold * (rate - leaving)));
  };
  // As the rules: a rate goes a little beyond the first and the last scrape.
  const enough = failuresMin <= 1 ? 0 : Math.max(0, (failuresMin - 0.5 - long.bad) / rate);
  return Math.max(until(long, longS), until(short, shortS), enough, secondsToProof(outlook, rate));
}

/** Milliseconds until the budget is gone at a burn rate, if nothing of it came back; null: not within `untilMs` from now on. */
export function exhaustion(
  leftShare: number,
  burn: number | null,
  { windowMs, untilMs }: { readonly windowMs: number; readonly untilMs: number },
): number | null {
  if (leftShare <= 0) return 0;
  if (burn === null || burn * untilMs < leftShare * windowMs) return null;
  return (leftShare * windowMs) / burn;
}
