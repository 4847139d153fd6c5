/** `spillway slo status`: how the objectives of a running gateway stand, for people and for programs. */
import { standing } from '../observe/slo/gate.ts';
import { formatObjective } from '../observe/slo/objective.ts';
import { type AlertStatus, type SloStatus, windowFromMs } from '../observe/slo/live/status.ts';
import { promDuration } from '../observe/slo/promql.ts';
import { adminRefusal, adminTarget, askAdmin } from './admin-client.ts';
import { type Arguments, type CommandIo, UsageError } from './command.ts';
import { type ExitCode, exitCodes } from './exit-codes.ts';
import { type Paint, printable } from './terminal.ts';

export async function status(file: string | undefined, args: Arguments, io: CommandIo): Promise<ExitCode> {
  if (file !== undefined) throw new UsageError('a running gateway has its own objectives; status takes no FILE');
  const target = adminTarget(args, io.environment);
  const answer = await askAdmin(target, '/api/slo');
  const { slos, waiting } = (answer.body ?? {}) as { readonly slos?: unknown; readonly waiting?: unknown };
  if (answer.status !== 200 || !Array.isArray(slos)) throw adminRefusal(target, answer);
  const service = args.text('service');
  const wanted = (slos as readonly SloStatus[]).filter((each) => service === null || each.service === service);
  if (args.flag('json')) io.out.line(JSON.stringify({ slos: wanted }, null, 2));
  else for (const each of wanted) for (const line of statusLines(each, io.out.paint)) io.out.line(printable(line));
  if (wanted.length > 0) return exitCodes.ok;
  if (typeof waiting === 'string') {
    const why = waiting === 'reading' ? 'it is reading what it has kept of them' : 'they have just come into force';
    io.err.prose(
      io.err.paint('bad', `The gateway has evaluated none of its objectives yet: ${why}. Ask again in a few seconds.`),
    );
    return exitCodes.no;
  }
  const none = service === null ? 'The gateway evaluates no objectives' : `The gateway has no objective of ${service}`;
  io.err.prose(io.err.paint('bad', printable(`${none}: its config names files under "slos".`)));
  return exitCodes.no;
}

/** Pure. */
function statusLines(status: SloStatus, paint: Paint): readonly string[] {
  const { id, objective, window, measures, good, bad, budget, level, exhaustionMs, timeToPageMs } = status;
  const { minutes, minutesLeft, eventsLeft, share } = budget;
  const { unknown } = standing(status);
  const isUnknown = level === 'ok' && unknown !== null;
  const tone = isUnknown ? 'dim' : level === 'ok' ? 'good' : level === 'warn' ? 'warn' : 'bad';
  const judged = isUnknown ? ` (not known: ${unknown})` : level === 'ok' ? '' : ` (${level})`;
  const left =
    share < 0
      ? `overdrawn by ${percent(-share)}, ${round(-minutesLeft)} min beyond its ${round(minutes)}, ${round(-eventsLeft)} failures too many`
      : `${percent(share)} left, ${round(minutesLeft)} of ${round(minutes)} min, ${round(eventsLeft)} failures`;
  const over = `${formatObjective(objective)} over ${window}`;
  return [
    `${paint('strong', id)}: ${over}, ${measures}`,
    `  budget  ${paint(tone, left)}${judged}`,
    `  events  ${good} good, ${bad} bad${known(status)}`,
    ...status.burn.map(({ windowS, value, threshold, firing }) => {
      const rate = value === null ? 'no events' : `${round(value)}×`;
      const line = `  ${promDuration(windowS).padEnd(7)} ${rate.padEnd(10)} of ${threshold}×`;
      return firing ? paint('warn', line) : line;
    }),
    ...status.alerts.filter(({ state }) => state !== 'inactive').map((alert) => `  ${alertText(alert, status, paint)}`),
    ...(exhaustionMs === null
      ? []
      : [
          `  ${exhaustionMs === 0 ? 'the budget is gone' : `at this rate the budget is gone in ${timeText(exhaustionMs)}`}`,
        ]),
    ...(timeToPageMs === null || timeToPageMs === 0
      ? []
      : [`  a total outage would page in ${timeText(timeToPageMs)}`]),
  ];
}

function known(status: SloStatus): string {
  const { sinceMs, atMs, period } = status;
  const since = period === null ? '' : ` since ${new Date(period.fromMs).toISOString()}`;
  if (sinceMs === null || sinceMs <= windowFromMs(status) + 600_000) return since;
  return ` in ${timeText(atMs - sinceMs)}, which is all that is known`;
}

function alertText(
  { severity, burn, longS, shortS, state, sinceMs }: AlertStatus,
  { atMs }: SloStatus,
  paint: Paint,
): string {
  const since = sinceMs === null ? '' : ` for ${timeText(atMs - sinceMs)}`;
  const text = `${severity} ${burn}× over ${promDuration(longS)} and ${promDuration(shortS)}: ${state}${since}`;
  return state === 'firing' ? paint('bad', text) : paint('warn', text);
}

function timeText(ms: number): string {
  return ms < 60_000 ? `${round(Math.max(ms, 0) / 1000, 1)}s` : promDuration(Math.round(ms / 60_000) * 60);
}

function percent(share: number): string {
  return `${round(share * 100, 1)}%`;
}

function round(value: number, digits = 2): string {
  return String(Number(value.toFixed(digits)));
}
