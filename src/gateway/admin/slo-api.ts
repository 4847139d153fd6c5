/** `GET /api/slo`: how the objectives stand, or why that is not known yet: none is told before what was kept of it is read. */
import type { SloStatus } from '../../observe/slo/live/status.ts';
import type { SloWaiting } from '../control/history.ts';
import { type ApiAnswer, json } from './answers.ts';
import type { AdminBackend } from './backend.ts';

/** As JSON. Both ends import this. */
export interface SloAnswer {
  readonly slos: readonly SloStatus[];
  readonly waiting: SloWaiting | null;
}

export function answerSlos(backend: AdminBackend): ApiAnswer {
  return json(200, { slos: backend.slos(), waiting: backend.slosWaiting() } satisfies SloAnswer);
}
