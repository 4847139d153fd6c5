/**
 * What is answered to whoever sends traces, metrics or logs: how much of it was not taken, or why nothing was.
 *
 * Source: opentelemetry-proto 1.x, `Export…ServiceResponse`, of which all three have the same numbers; google.rpc `Status`, of which OTLP uses the
 * message alone.
 */
import { MessageType } from './message-type.ts';

export interface ExportResponse {
  readonly partialSuccess?: { readonly rejected?: number; readonly errorMessage?: string };
}

/** What was rejected has another name in the JSON of each. */
const partialSuccess = new MessageType({ rejected: [1, 'int64'], errorMessage: [2, 'string'] });
export const exportResponse = new MessageType<ExportResponse>({ partialSuccess: [1, () => partialSuccess] });
export const status = new MessageType<{ readonly message?: string }>({ message: [2, 'string'] });
