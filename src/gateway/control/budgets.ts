/**
 * What follows from how the objectives stand: the ledger of what spent their budgets, the gate for changes, and alerts that are explained
 * by where the failures are and what was changed before them.
 *
 * Nothing here may stop the gateway: a ledger that cannot be opened is one in memory, and it is said.
 */
import { join, resolve } from 'node:path';
import type { Clock } from '../../kernel/clock.ts';
import type { Random } from '../../kernel/random.ts';
import { explainAlert } from '../../observe/slo/alerts/explanation.ts';
import { Bookkeeper } from '../../observe/slo/ledger/bookkeeper.ts';
import type { LedgerEntry, LedgerFact, Span } from '../../observe/slo/ledger/entry.ts';
import { Ledger } from '../../observe/slo/ledger/ledger.ts';
import { readFact } from '../../observe/slo/ledger/read-fact.ts';
import { type Spending, spendings } from '../../observe/slo/ledger/spendings.ts';
import type { CountedStep } from '../../observe/slo/ledger/recorder.ts';
import { type SloStatus, windowFromMs } from '../../observe/slo/live/status.ts';
import { type Slo, sloId } from '../../observe/slo/objective.ts';
import { Alerting } from '../alerts/alerting.ts';
import { beganMs, type Contributions } from '../alerts/contributions.ts';
import type { Config } from '../config/index.ts';
import { BudgetGate } from './budget-gate.ts';
import type { ChangeLog } from './change-log.ts';
import type { GatewayEvent } from './events.ts';

export interface BudgetsOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Those in force that are evaluated here. */
  readonly objectives: () => readonly Slo[];
  /** Null if the config in force has no objectives. */
  readonly statuses: () => readonly SloStatus[] | null;
  /** Where the failures of an objective were. */
  readonly contributions: Contributions;
  readonly changes: Pick<ChangeLog, 'changes'>;
  readonly onEvent: (event: GatewayEvent) => void;
}

/** Of an objective, for people: what spent its budget, and what was said lately. */
export interface LedgerView {
  readonly spendings: readonly Spending[];
  /** Newest first. */
  readonly entries: readonly LedgerEntry[];
}

const ENTRIES_SHOWN = 100;
/** What is looked at for what was changed just before. */
const CHANGES_SEEN = 200;

export class Budgets {
  readonly #options: BudgetsOptions;
  readonly gate: BudgetGate;
  readonly #alerting: Alerting;
  #kept: { readonly ledger: Ledger; readonly keeper: Bookkeeper } | null = null;
  #budgetEvents = new Map<string, number>();

  constructor(options: BudgetsOptions) {
    const { clock, random, objectives, statuses, onEvent } = options;
    this.#options = options;
    const record = async (fact: LedgerFact): Promise<void> => {
      await this.#kept?.ledger.add(fact).catch((error: unknown) => this.#notice('error', String(error)));
    };
    this.gate = new BudgetGate({ objectives, statuses, record, onEvent });
    this.#alerting = new Alerting({
      ...{ clock, random, onNotice: (level, message) => this.#notice(level, message) },
      explain: (status, alert, state) => {
        const since = alert.sinceMs ?? clock.wallMs();
        const count = (span: Span) => options.contributions.count(status, span);
        const began = beganMs(count, status, { sinceMs: since, longS: alert.longS });
        return explainAlert({
          ...{ status, alert, state, nowMs: clock.wallMs(), beganMs: began },
          contributions: options.contributions.of(status.id, {
            fromMs: began ?? since - alert.longS * 1000,
            toMs: clock.wallMs(),
          }),
          // What an objective does is no cause of it, and who asked for a change is told beside the change.
          changes: options.changes
            .changes({ after: 0, limit: CHANGES_SEEN })
            .filter(({ kind }) => kind !== 'slo' && kind !== 'audit'),
        });
      },
    });
  }

  /** Once, at the start. What is counted beyond the process counts no other way than before: planned work must outlive it too. */
  async open({ ledger, data, folder }: Pick<Config, 'ledger' | 'data' | 'folder'>): Promise<void> {
    const { clock, random } = this.#options;
    const name = ledger ?? (data === undefined ? null : join(data, 'ledger.ndjson'));
    const path = name === null ? null : resolve(folder, name);
    const opened = await Ledger.open({ clock, random, path }).catch((error: unknown) => {
      this.#notice('error', `${error instanceof Error ? error.message : String(error)} It is kept in memory.`);
      return Ledger.open({ clock, random, path: null });
    });
    for (const line of opened.damaged.slice(0, 5)) this.#notice('warn', `An entry of the ledger is not used. ${line}`);
    const keeper = new Bookkeeper(opened, (problem) =>
      problem === null ? this.#notice('info', 'The ledger is written again.') : this.#notice('error', problem),
    );
    this.#kept = { ledger: opened, keeper };
  }

  /** A folder in which what is counted outlives the process is there: so does what alerts were told. */
  async keep(folder: string): Promise<void> {
    await this.#alerting.keep(join(folder, 'alerts.json'));
  }

  /** Planned work: left out of every window. */
  excluded(id: string): readonly Span[] {
    return this.#kept?.ledger.excluded(id) ?? [];
  }

  /** What was counted since the last round. */
  step(slo: Slo, step: CountedStep): void {
    this.#kept?.keeper.step(slo, step, this.#budgetEvents.get(sloId(slo)) ?? 0);
  }

  /** A round of evaluation is through. */
  round(statuses: readonly SloStatus[], { alertReceivers }: Pick<Config, 'alertReceivers'>): void {
    this.#budgetEvents = new Map(statuses.map(({ id, budget }) => [id, budget.events]));
    this.#kept?.keeper.retain(new Set(this.#budgetEvents.keys()));
    this.#alerting.replace(alertReceivers);
    this.#alerting.step(statuses);
  }

  /** Of one objective, or of all. */
  view(slo: string | null): LedgerView {
    const entries = this.#kept?.ledger.entries ?? [];
    const nowMs = this.#options.clock.wallMs();
    const wanted = (this.#options.statuses() ?? []).filter(({ id }) => slo === null || id === slo);
    return {
      spendings: wanted.flatMap((status) =>
        spendings(entries, status.id, { fromMs: windowFromMs({ ...status, atMs: nowMs }), toMs: nowMs }),
      ),
      entries: entries
        .filter((entry) => slo === null || !('slo' in entry) || entry.slo === null || entry.slo === slo)
        .slice(-ENTRIES_SHOWN)
        .toReversed(),
    };
  }

  /** Writes down what somebody says; or a sentence on what is wrong with it. Throws `LEDGER_FILE`. */
  async note(given: unknown): Promise<LedgerEntry | string> {
    const ledger = this.#kept?.ledger;
    if (ledger === undefined) return 'The gateway has not begun yet.';
    const slos = (this.#options.statuses() ?? []).map(({ id }) => id);
    const fact = readFact(given, { slos, entries: ledger.entries, nowMs: this.#options.clock.wallMs() });
    if (typeof fact === 'string') return fact;
    return ledger.add(fact);
  }

  async close(): Promise<void> {
    await this.#alerting.close();
    await this.#kept?.keeper.close();
    await this.#kept?.ledger.close();
  }

  #notice(level: 'info' | 'warn' | 'error', message: string): void {
    this.#options.onEvent({ kind: 'notice', level, message });
  }
}
