/**
 * Tells receivers of the alerts of objectives, each second what is due: explained, one message for an objective, again if it lasts, and
 * once when it is over (`alert-group.ts`). An Alertmanager does all that itself: it is told once a minute, and at each
 * change, which alerts are on.
 *
 * Never waits: what a receiver does not take waits in its outbox. A receiver whose address is the same after a reload keeps it.
 *
 * What was told may be kept in a file, for the next process, and with it whether every receiver has taken it: what one has not when the process
 * ends is told again, to all.
 */
import type { Clock } from '../../kernel/clock.ts';
import type { Random } from '../../kernel/random.ts';
import { AlertGroup, type Told } from '../../observe/slo/alerts/alert-group.ts';
import { alertmanagerBody, slackBody, webhookBody } from '../../observe/slo/alerts/bodies.ts';
import type { AlertExplanation } from '../../observe/slo/alerts/explanation.ts';
import type { AlertStatus, SloStatus } from '../../observe/slo/live/status.ts';
import { Outbox, type OutboxOptions } from './outbox.ts';
import { type KeptTold, readTold, type ToldAlerts, writeTold } from './told-file.ts';

export interface AlertReceiver {
  readonly name: string;
  readonly kind: 'webhook' | 'slack' | 'alertmanager';
  /** May be a secret. */
  readonly url: string;
  /** Pages only, or tickets too. */
  readonly on: 'page' | 'all';
}

export interface AlertingOptions extends Pick<OutboxOptions, 'clock' | 'random' | 'onNotice'> {
  readonly clock: Clock;
  readonly random: Random;
  readonly explain: (status: SloStatus, alert: AlertStatus, state: AlertExplanation['state']) => AlertExplanation;
}

/** Alertmanager takes an alert for over that is not told for longer. */
const TELL_MS = 60_000;

interface Receiver {
  readonly receiver: AlertReceiver;
  readonly outbox: Outbox;
}

interface OnAlert {
  readonly status: SloStatus;
  readonly alert: AlertStatus;
}

export class Alerting {
  readonly #options: AlertingOptions;
  readonly #groups = new Map<string, AlertGroup>();
  #receivers: readonly Receiver[] = [];
  /** Those that are on, by objective and burn rate. */
  #on = new Map<string, OnAlert>();
  #toldMs = Number.NEGATIVE_INFINITY;
  /** Where it is kept what was told; null: nowhere. */
  #path: string | null = null;
  /** What is told, or who has taken it, is not as it is kept. */
  #isNews = false;
  /** What every receiver has taken. */
  readonly #taken = new WeakSet<Told>();
  /** What is over, by objective, as long as a receiver has not taken that. */
  readonly #ended = new Map<string, Told>();
  #writing: Promise<void> | null = null;
  #isWell = true;

  constructor(options: AlertingOptions) {
    this.#options = options;
  }

  replace(receivers: readonly AlertReceiver[]): void {
    const before = this.#receivers;
    this.#receivers = receivers.map((receiver) => {
      const known = before.find(
        ({ receiver: { name, kind, url } }) => name === receiver.name && kind === receiver.kind && url === receiver.url,
      );
      return { receiver, outbox: known?.outbox ?? this.#outboxOf(receiver) };
    });
    for (const { outbox } of before) {
      if (this.#receivers.every((each) => each.outbox !== outbox)) outbox.close();
    }
  }

  /** Goes on from what was told by the process before, and keeps it from now on. */
  async keep(path: string): Promise<void> {
    const { clock, onNotice } = this.#options;
    const known = await readTold(path);
    if (typeof known === 'string') onNotice('warn', known);
    else {
      for (const [id, { alert, worst, atMs }] of known) {
        if ((this.#groups.get(id)?.told ?? null) !== null) continue;
        const agoMs = atMs === null ? Number.POSITIVE_INFINITY : Math.max(0, clock.wallMs() - atMs);
        const told = { alert, worst, atMs: clock.nowMs() - agoMs };
        if (atMs !== null) this.#taken.add(told);
        this.#groups.set(id, new AlertGroup(told));
      }
    }
    this.#path = path;
    this.#isNews = true;
  }

  /** How all objectives stand; once a second. */
  step(statuses: readonly SloStatus[]): void {
    const { clock } = this.#options;
    const ids = new Set(statuses.map(({ id }) => id));
    // An objective that is gone from the config is nobody's any more.
    for (const id of this.#groups.keys()) if (!ids.has(id)) this.#isNews = this.#groups.delete(id);
    for (const status of statuses) {
      const group = this.#groups.get(status.id) ?? new AlertGroup();
      this.#groups.set(status.id, group);
      const before = group.told;
      const message = group.step(clock.nowMs(), status.alerts);
      if (message === null) continue;
      this.#isNews = true;
      this.#ended.delete(status.id);
      if (before !== null && message.state === 'resolved') this.#ended.set(status.id, before);
      this.#tell(status, message.alert, message.state);
    }
    this.#tellAlertmanagers(statuses);
    this.#write();
  }

  /** Resolves when what was told is kept. */
  async close(): Promise<void> {
    await this.#writing;
    this.#write();
    for (const { outbox } of this.#receivers) outbox.close();
    this.#receivers = [];
    await this.#writing;
  }

  /** An Alertmanager is told what is on whatever it was told before. */
  #write(): void {
    const isTaken = this.#receivers.every(
      ({ receiver, outbox }) => receiver.kind === 'alertmanager' || outbox.length === 0,
    );
    if (isTaken) this.#settle();
    if (this.#path === null || !this.#isNews || this.#writing !== null) return;
    this.#isNews = false;
    this.#writing = writeTold(this.#path, this.#told())
      .then(
        () => (this.#isWell = true),
        (error: unknown) => {
          const { onNotice } = this.#options;
          if (this.#isWell) onNotice('warn', `It is not kept what alerts were told: ${(error as Error).message}`);
          this.#isWell = false;
          this.#isNews = true;
        },
      )
      .then(() => void (this.#writing = null));
  }

  /** Every receiver has taken all that it was told. */
  #settle(): void {
    for (const { told } of this.#groups.values()) {
      if (told === null || this.#taken.has(told)) continue;
      this.#taken.add(told);
      this.#isNews = true;
    }
    if (this.#ended.size > 0) this.#isNews = true;
    this.#ended.clear();
  }

  #told(): ToldAlerts {
    const { clock } = this.#options;
    const toWallMs = clock.wallMs() - clock.nowMs();
    const kept = new Map<string, KeptTold>();
    for (const [id, told] of this.#ended) kept.set(id, { ...told, atMs: null });
    for (const [id, { told }] of this.#groups) {
      if (told !== null) kept.set(id, { ...told, atMs: this.#taken.has(told) ? told.atMs + toWallMs : null });
    }
    return kept;
  }

  #outboxOf({ name, kind, url }: AlertReceiver): Outbox {
    const { clock, random, onNotice } = this.#options;
    return new Outbox({ name, url: kind === 'alertmanager' ? alertsOf(url) : url, clock, random, onNotice });
  }

  #tell(status: SloStatus, alert: AlertStatus, state: AlertExplanation['state']): void {
    const wanted = this.#receivers.filter(
      ({ receiver: { kind, on } }) => kind !== 'alertmanager' && (on === 'all' || alert.severity === 'page'),
    );
    if (wanted.length === 0) return;
    const explanation = this.#options.explain(status, alert, state);
    for (const { receiver, outbox } of wanted) {
      outbox.add(receiver.kind === 'slack' ? slackBody(explanation) : webhookBody(explanation));
    }
  }

  #tellAlertmanagers(statuses: readonly SloStatus[]): void {
    const wanted = this.#receivers.filter(({ receiver }) => receiver.kind === 'alertmanager');
    if (wanted.length === 0) return;
    const { clock, explain } = this.#options;
    const on = new Map<string, OnAlert>();
    for (const status of statuses) {
      for (const alert of status.alerts) {
        if (alert.state === 'firing') on.set(`${status.id} ${alert.burn}`, { status, alert });
      }
    }
    const ended = [...this.#on].filter(([key]) => !on.has(key));
    const begun = [...on.keys()].some((key) => !this.#on.has(key));
    this.#on = on;
    const isDue = on.size > 0 && clock.nowMs() - this.#toldMs >= TELL_MS;
    if (ended.length === 0 && !begun && !isDue) return;
    this.#toldMs = clock.nowMs();
    const explanations = [
      ...[...on.values()].map(({ status, alert }) => explain(status, alert, 'firing')),
      ...ended.map(([, { status, alert }]) => explain(status, alert, 'resolved')),
    ];
    for (const { receiver, outbox } of wanted) {
      const own = explanations.filter(({ severity }) => receiver.on === 'all' || severity === 'page');
      if (own.length > 0) outbox.add(alertmanagerBody(own, clock.wallMs()), { whole: true });
    }
  }
}

/** Its address, with or without a path that it is served below. */
function alertsOf(url: string): string {
  const target = new URL(url);
  target.pathname = `${target.pathname.replace(/\/$/, '')}/api/v2/alerts`;
  return target.href;
}
