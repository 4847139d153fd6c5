/**
 * How good alerts would have been: of what they told, how much was an incident (precision); of the incidents, how many they told
 * (recall); how long it took, and how long they went on afterwards. Pure.
 *
 * An alert tells an incident if it is on at any moment of it, or comes within its own short window after the end: it looks back
 * that far. Where nothing is to be divided by, there is no share: null.
 */
import type { Severity } from '../burn-alerts.ts';
import type { Slo } from '../objective.ts';
import type { Incident } from './incidents.ts';
import type { Recording } from './recording.ts';
import { type Firing, replay } from './replay.ts';

export interface Score {
  /** `page 14.4×`, `any page`, `any alert`. */
  readonly name: string;
  readonly fired: number;
  /** Of these, for an incident. */
  readonly right: number;
  readonly precision: number | null;
  readonly recall: number | null;
  /** Names of the incidents that it did not tell. */
  readonly missed: readonly string[];
  /** Seconds from the beginning of an incident to the alert: the middle one and the longest; null if it told none. */
  readonly detectS: { readonly median: number; readonly longest: number } | null;
  /** Seconds from the end of an incident to the end of the alert. */
  readonly resetS: { readonly median: number; readonly longest: number } | null;
}

export interface Backtest {
  readonly fromS: number;
  readonly toS: number;
  readonly steps: number;
  readonly incidents: readonly Incident[];
  readonly scores: readonly Score[];
}

interface Told extends Firing {
  readonly shortS: number;
  readonly severity: Severity;
}

export function backtest(slo: Slo, recording: Recording, incidents: readonly Incident[]): Backtest {
  const histories = replay(slo, recording).map(({ alert, firings }) => ({
    name: `${alert.severity} ${alert.burn}×`,
    told: firings.map((firing): Told => ({ ...firing, shortS: alert.shortS, severity: alert.severity })),
  }));
  const all = histories.flatMap(({ told }) => told);
  const pages = all.filter(({ severity }) => severity === 'page');
  const { steps } = recording;
  return {
    fromS: steps[0]?.atS ?? 0,
    toS: steps.at(-1)?.atS ?? 0,
    steps: steps.length,
    incidents,
    scores: [
      ...histories.map(({ name, told }) => score(name, told, incidents)),
      score('any page', pages, incidents),
      score('any alert', all, incidents),
    ],
  };
}

function score(name: string, told: readonly Told[], incidents: readonly Incident[]): Score {
  const tells = ({ fromS, toS, shortS }: Told, incident: Incident): boolean =>
    fromS <= incident.toS + shortS && (toS === null || toS > incident.fromS);
  const right = told.filter((each) => incidents.some((incident) => tells(each, incident)));
  const found = incidents.map((incident) => ({ incident, by: told.filter((each) => tells(each, incident)) }));
  const detected = found.filter(({ by }) => by.length > 0);
  return {
    name,
    fired: told.length,
    right: right.length,
    precision: told.length === 0 ? null : right.length / told.length,
    recall: incidents.length === 0 ? null : detected.length / incidents.length,
    missed: found.filter(({ by }) => by.length === 0).map(({ incident }) => incident.name),
    detectS: spread(
      detected.map(({ incident, by }) => Math.max(0, Math.min(...by.map(({ fromS }) => fromS)) - incident.fromS)),
    ),
    resetS: spread(
      detected.flatMap(({ incident, by }) => {
        const ends = by.map(({ toS }) => toS).filter((toS) => toS !== null);
        return ends.length === by.length ? [Math.max(0, Math.max(...ends) - incident.toS)] : [];
      }),
    ),
  };
}

function spread(values: readonly number[]): Score['detectS'] {
  const ordered = values.toSorted((one, other) => one - other);
  const median = ordered[(ordered.length - 1) >> 1];
  const longest = ordered.at(-1);
  return median === undefined || longest === undefined ? null : { median, longest };
}
