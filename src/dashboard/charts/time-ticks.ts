/** Moments on the axis of time: round ones of the clock here, as many as there is room for, each as short as it can be told. Pure. */

export interface TimeTick {
  readonly atMs: number;
  readonly text: string;
}

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const apart = [
  SECOND, 2 * SECOND, 5 * SECOND, 10 * SECOND, 15 * SECOND, 30 * SECOND, MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 15 * MINUTE,
  30 * MINUTE, HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 5 * DAY, 10 * DAY, 30 * DAY,
]; // prettier-ignore

/** A label and the space beside it. */
const LABEL_PX = 72;
/** A label alone. */
const LABEL_LEAST_PX = 56;
/** Nearer to an end a label is cut, or over those of the other axis. */
const EDGE_PX = { left: 24, right: 12 };

export function timeTicks(fromMs: number, toMs: number, widthPx: number): TimeTick[] {
  const most = Math.max(1, Math.floor(widthPx / LABEL_PX));
  const fits = apart.findIndex((one) => (toMs - fromMs) / one <= most);
  const place = fits === -1 ? apart.length - 1 : fits;
  let ticks = roundMoments(fromMs, toMs, apart[place]!, most + 1);
  // Where there is room for two, the step may be longer than the range; of the next shorter one there are few.
  if (ticks.length === 0 && place > 0) ticks = roundMoments(fromMs, toMs, apart[place - 1]!, most);
  const pxOf = (ms: number): number => ((ms - fromMs) / (toMs - fromMs)) * widthPx;
  const isWhole = ({ atMs }: TimeTick): boolean => pxOf(atMs) >= EDGE_PX.left && pxOf(atMs) <= widthPx - EDGE_PX.right;
  const whole = ticks.filter(isWhole);
  // One tells where, and not how long: of the next shorter step there are more, closer together.
  const shorter = apart[place - 1];
  if (whole.length < 2 && shorter !== undefined && (shorter / (toMs - fromMs)) * widthPx >= LABEL_LEAST_PX) {
    const closer = roundMoments(fromMs, toMs, shorter, most * 2).filter(isWhole);
    if (closer.length > 1) return closer;
  }
  // One that is cut is better than one alone; of three the middle is whole.
  return whole.length > 1 || ticks.length > 2 ? whole : ticks;
}

function roundMoments(fromMs: number, toMs: number, step: number, most: number): TimeTick[] {
  // Round in local time; where clocks are put forward or back within the range, the hours after it are still whole.
  const offset = new Date(fromMs).getTimezoneOffset() * MINUTE;
  const ticks: TimeTick[] = [];
  for (let at = Math.ceil((fromMs - offset) / step) * step + offset; at <= toMs && ticks.length < most; at += step) {
    ticks.push({ atMs: at, text: textOf(at, step) });
  }
  return ticks;
}

const two = (value: number): string => String(value).padStart(2, '0');

function textOf(atMs: number, step: number): string {
  const date = new Date(atMs);
  const minutes = `${two(date.getHours())}:${two(date.getMinutes())}`;
  if (step < MINUTE) return `${minutes}:${two(date.getSeconds())}`;
  const isMidnight = date.getHours() === 0 && date.getMinutes() === 0;
  return step >= DAY || isMidnight ? `${two(date.getMonth() + 1)}-${two(date.getDate())}` : minutes;
}
