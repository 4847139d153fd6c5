/**
 * `spillway slo gate`: may this be deployed now? For pipelines, so the answer is the exit code; and where it is not known what is
 * left of a budget, the answer is not yes.
 */
import { resolve } from 'node:path';
import { SpillwayError } from '../kernel/errors.ts';
import { formatDuration, parseDuration } from '../kernel/units.ts';
import { loadSlos } from '../observe/index.ts';
import { formatGate, type GateStanding, type GateVerdict, judgeGate, passAdvice } from '../observe/slo/gate.ts';
import { errorBudget, type Slo, sloId, windowLengthMs } from '../observe/slo/objective.ts';
import { budgetLevel } from '../observe/slo/policy.ts';
import { promDuration, quoted } from '../observe/slo/promql.ts';
import { labelNames } from '../observe/slo/rule-labels.ts';
import { readStatuses } from '../observe/slo/read-statuses.ts';
import { formatMistake } from '../reading/mistakes.ts';
import { readSmallFile } from '../reading/small-file.ts';
import { type AdminAnswer, adminRefusal, adminTarget, askAdmin, changeByAdmin } from './admin-client.ts';
import { type Arguments, type CommandIo, UsageError } from './command.ts';
import { type ExitCode, exitCodes } from './exit-codes.ts';
import { readPass } from './pass.ts';
import { queryPrometheus } from './prometheus-client.ts';
import { printable } from './terminal.ts';

/** What is older says nothing of now. */
const MAX_AGE = '1h';
/** Clocks of two machines are apart by less, or one of them is wrong. */
const AHEAD_MS = 60_000;

export async function gate(file: string | undefined, args: Arguments, io: CommandIo): Promise<ExitCode> {
  const verdict = await askFor(file, args, io);
  if (verdict === null) return exitCodes.no;
  const { out, err } = io;
  if (args.flag('json')) out.line(JSON.stringify(verdict, null, 2));
  else {
    const output = verdict.open ? out : err;
    const answer = verdict.open ? 'open' : verdict.level === 'freeze' ? 'frozen' : 'not known';
    output.prose(output.paint(verdict.open ? 'good' : 'bad', answer));
    if (verdict.level !== 'ok' || verdict.unknown.length > 0) output.prose(printable(formatGate(verdict)));
    if (!verdict.open) output.prose(passAdvice);
  }
  if (verdict.open) return exitCodes.ok;
  return verdict.level === 'freeze' ? exitCodes.no : exitCodes.cannotRun;
}

async function askFor(file: string | undefined, args: Arguments, io: CommandIo): Promise<GateVerdict | null> {
  const [status, prometheus] = [args.text('status'), args.text('prometheus')];
  if (status === null && prometheus === null) return await askGateway(file, args, io);
  if (args.flag('admin')) throw new UsageError('--admin, --status and --prometheus are three ways to ask; take one');
  if (status !== null && prometheus !== null) throw new UsageError('either --status or --prometheus');
  if (readPass(args) !== null) {
    throw new UsageError(
      '--override and --security-fix are written into the ledger of a gateway; there is none to ask here',
    );
  }
  if (status !== null) return judgeGate(ofFile(status, args, io));
  if (file === undefined) throw new UsageError('--prometheus needs the file of objectives, too: slo gate FILE');
  const { slos, mistakes } = await loadSlos(file, { clock: io.clock });
  for (const mistake of mistakes) io.err.line(printable(formatMistake(mistake)));
  if (slos === null) return null;
  return judgeGate(await ofPrometheus(slos.slos, prometheus ?? '', args, io));
}

/** It answers 200, or 409 (frozen) or 503 (not known) with the same in a problem document. */
async function askGateway(file: string | undefined, args: Arguments, io: CommandIo): Promise<GateVerdict> {
  if (file !== undefined) {
    throw new UsageError('a running gateway has its own objectives; FILE goes with --prometheus');
  }
  const target = adminTarget(args, io.environment);
  const pass = readPass(args);
  const service = args.text('service');
  const query = service === null ? '' : `?service=${encodeURIComponent(service)}`;
  const answer =
    pass === null
      ? await askAdmin(target, `/api/slo/gate${query}`)
      : await changeByAdmin(target, `/api/slo/pass${query}`, pass);
  const verdict = verdictOf(answer);
  if (verdict === null) throw adminRefusal(target, answer);
  return verdict;
}

function verdictOf({ status, body }: AdminAnswer): GateVerdict | null {
  const { open, level, reasons, unknown, pass } = (body ?? {}) as Partial<GateVerdict>;
  if (![200, 409, 503].includes(status) || typeof open !== 'boolean' || level === undefined) return null;
  return { open, level, reasons: reasons ?? [], unknown: unknown ?? [], pass: pass ?? null };
}

function ofFile(path: string, args: Arguments, { clock }: CommandIo): readonly GateStanding[] {
  const age = parseDuration(args.text('max-age') ?? MAX_AGE);
  if (!age.ok) throw new UsageError(`--max-age is ${age.expected}`);
  const found = readSmallFile(resolve(path));
  if (!found.ok) throw new SpillwayError('CONFIG_NOT_FOUND', `The file ${path} ${found.reason}.`);
  const statuses = readStatuses(found.text);
  if (typeof statuses === 'string') {
    const hint = 'Write one with: curl -s http://127.0.0.1:9900/api/slo > status.json';
    throw new SpillwayError('OPTIONS_INVALID', `${path} is no answer of GET /api/slo: ${statuses}. ${hint}`);
  }
  const oldestMs = Math.min(...statuses.map(({ atMs }) => atMs));
  const newestMs = Math.max(...statuses.map(({ atMs }) => atMs));
  if (newestMs - clock.wallMs() > AHEAD_MS) {
    const at = new Date(newestMs).toISOString();
    throw new SpillwayError(
      'OPTIONS_INVALID',
      `${path} is of ${at}, which is yet to come: it cannot be told how old it is. Set the clock of this machine, or of the one that wrote it.`,
    );
  }
  if (clock.wallMs() - oldestMs > age.value) {
    const since = new Date(oldestMs).toISOString();
    throw new SpillwayError(
      'OPTIONS_INVALID',
      `${path} is of ${since}, more than ${formatDuration(age.value)} ago: it does not say what is left now. Take a newer one, or --max-age.`,
    );
  }
  const service = args.text('service');
  const wanted = statuses.filter((each) => service === null || each.service === service);
  if (wanted.length > 0) return wanted;
  const names = [...new Set(statuses.map((each) => each.service))].join(', ');
  throw new SpillwayError('OPTIONS_INVALID', `${path} has no objective of ${service}; it has those of ${names}.`);
}

async function ofPrometheus(
  slos: readonly Slo[],
  address: string,
  args: Arguments,
  { clock }: CommandIo,
): Promise<readonly GateStanding[]> {
  const style = args.text('labels') ?? 'spillway';
  if (style !== 'spillway' && style !== 'sloth')
    throw new UsageError(`--labels is spillway or sloth, and not ${style}`);
  const { id: label } = labelNames[style];
  const ids = slos.map(sloId);
  // Ids are made of letters, digits, dots, dashes and underscores: of these the dot alone means something else in a pattern.
  const pattern = ids.map((id) => id.replaceAll('.', '\\.')).join('|');
  const metric = `slo:period_error_budget_remaining:ratio{${label}=~${quoted(pattern)}}`;
  const values = await queryPrometheus(address, metric);
  const known = new Map<number, ReadonlySet<string | undefined>>();
  const longestS = Math.max(...slos.map(({ windowMs }) => windowMs / 1000));
  for (const { historyMs } of slos.map(({ policy }) => policy)) {
    if (historyMs === 0 || known.has(historyMs)) continue;
    const before = `[${promDuration(longestS)}] offset ${promDuration(Math.ceil(historyMs / 1000))}`;
    const found = await queryPrometheus(address, `count_over_time(${metric}${before})`);
    known.set(historyMs, new Set(found.map(({ labels }) => labels[label])));
  }
  return slos.map((slo) => {
    // One for each replica or cluster that it hears of: what is frozen anywhere is frozen; NaN and nothing are not known.
    const share = Math.min(...values.filter(({ labels }) => labels[label] === sloId(slo)).map(({ value }) => value));
    if (!Number.isFinite(share)) {
      throw new SpillwayError(
        'STORE_UNAVAILABLE',
        `The Prometheus has nothing about ${sloId(slo)}: are the rules of "spillway slo compile" loaded there, and was there traffic?`,
      );
    }
    const { policy } = slo;
    const isKnown = policy.historyMs === 0 || known.get(policy.historyMs)?.has(sloId(slo)) === true;
    const minutesLeft = (share * errorBudget(slo) * windowLengthMs(slo, clock.wallMs())) / 60_000;
    return {
      ...{ id: sloId(slo), policy, budget: { share, minutesLeft } },
      // Of how many events that is its rules do not say.
      level: budgetLevel(policy, share, { knownMs: isKnown ? policy.historyMs : 0, events: Number.POSITIVE_INFINITY }),
      unknown: isKnown || policy.freeze === null ? null : `it was not known ${formatDuration(policy.historyMs)} ago`,
    };
  });
}
