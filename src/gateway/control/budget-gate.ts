/**
 * Lets a change of the config through, or not: not while the error budget of an objective is frozen, unless it claims a pass. What a
 * pass let through is audited and stands in the ledger.
 *
 * Where it is not known what is left, who asks is told so and a change passes: a gateway that has just begun must be mendable.
 *
 * Not a change in this sense: going back to a config that was in force, endpoints that are found, and certificates, keys and tokens
 * that are renewed in the files which the config names. A freeze must not be what ends a certificate.
 */
import {
  formatGate,
  type GateVerdict,
  judgeGate,
  newStanding,
  passAdvice,
  type Pass,
  standing,
} from '../../observe/slo/gate.ts';
import type { LedgerFact } from '../../observe/slo/ledger/entry.ts';
import type { SloStatus } from '../../observe/slo/live/status.ts';
import { type Slo, sloId } from '../../observe/slo/objective.ts';
import type { GatewayEvent } from './events.ts';

export interface BudgetGateOptions {
  /** Those in force, evaluated yet or not. */
  readonly objectives: () => readonly Slo[];
  /** Of all that were evaluated; null if there are none. */
  readonly statuses: () => readonly SloStatus[] | null;
  /** Into the ledger; resolves when it is there, or cannot be: a disk that is full must not stop who mends. */
  readonly record: (fact: LedgerFact) => Promise<void>;
  readonly onEvent: (event: GatewayEvent) => void;
}

export class BudgetGate {
  readonly #options: BudgetGateOptions;

  constructor(options: BudgetGateOptions) {
    this.#options = options;
  }

  /** Of the objectives of a service, or of all; null if there are none. */
  verdict(service: string | null, pass: Pass | null = null): GateVerdict | null {
    const isAsked = (each: Pick<Slo, 'service'>): boolean => service === null || each.service === service;
    const statuses = this.#options.statuses()?.filter(isAsked) ?? [];
    const evaluated = new Set(statuses.map(({ id }) => id));
    const news = this.#options.objectives().filter((slo) => isAsked(slo) && !evaluated.has(sloId(slo)));
    const standings = [...statuses.map(standing), ...news.map((slo) => newStanding(sloId(slo), slo.policy))];
    return standings.length === 0 ? null : judgeGate(standings, pass);
  }

  /** The same, for something that is done then: a pass that it takes is audited. */
  async admit(service: string | null, pass: Pass | null): Promise<GateVerdict | null> {
    const verdict = this.verdict(service, pass);
    if (verdict === null || pass === null || pass.kind === 'rollback' || verdict.pass === null) return verdict;
    const { kind, text, by } = pass;
    this.#options.onEvent({
      kind: 'audit',
      remote: null,
      by,
      action: `${kind}: ${text}`,
      outcome: formatGate(verdict),
    });
    await this.#options.record({ kind: 'passed', pass: kind, text, by });
    return verdict;
  }

  /** Why a change may not be put in force; null if it may. */
  async refusal(pass: Pass | null): Promise<string | null> {
    if (this.verdict(null)?.level !== 'freeze') return null;
    const verdict = await this.admit(null, pass);
    return verdict === null || verdict.open ? null : `${formatGate(verdict)} ${passAdvice}`;
  }
}
