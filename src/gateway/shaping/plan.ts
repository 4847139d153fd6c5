/**
 * What a route does with its requests besides handing them to one service: the part of the snapshot that most routes do not have.
 * Plain data, as all of the snapshot is. Templates are texts here (template.ts); they were checked with the config.
 */
import type { Cell } from '../../kernel/cells.ts';
import type { KeySource } from '../key-source.ts';

export interface ShapingPlan {
  readonly split: SplitPlan | null;
  /** The gateway answers itself. */
  readonly answer: AnswerPlan | null;
  /** Template of the path that is sent on. */
  readonly path: string | null;
  /** `Host` that is sent on. */
  readonly host: string | null;
  readonly requestFields: FieldEditsPlan | null;
  readonly responseFields: FieldEditsPlan | null;
  readonly mirror: MirrorPlan | null;
}

export interface SplitPlan {
  /** What keeps a request in its arm; null is chance. */
  readonly by: KeySource | null;
  readonly arms: readonly ArmPlan[];
}

export interface ArmPlan {
  /** Unique in its route. */
  readonly name: string;
  /** Index into `services`. */
  readonly service: number;
  /** Relative to the other arms; 0 gets nothing. */
  readonly weight: number;
  readonly cell: Cell;
}

export type AnswerPlan =
  | { readonly kind: 'redirect'; readonly status: number; /** Template. */ readonly to: string }
  | { readonly kind: 'respond'; readonly status: number; readonly contentType: string; readonly body: string };

export interface FieldPlan {
  readonly name: string;
  /** Template. */
  readonly value: string;
}

export interface FieldEditsPlan {
  /** In place of what was there. */
  readonly set: readonly FieldPlan[];
  /** Beside what was there. */
  readonly add: readonly FieldPlan[];
  readonly remove: readonly string[];
}

export interface MirrorPlan {
  /** Index into `services`. */
  readonly service: number;
  /** Of the requests, 0 to 1. */
  readonly share: number;
  readonly bodyBytesMax: number;
}
