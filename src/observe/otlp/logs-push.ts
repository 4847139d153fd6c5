/** Log lines to a collector, as they are written; and to whoever keeps them here too. What the collector will not have is lost there only. */
import type { WorkContext } from '../context/work-context.ts';
import type { LogLevel } from '../log/levels.ts';
import { type LineKeeper, type LogRecord, recordOf } from '../log/recent.ts';
import type { OtlpChannel } from './channel.ts';
import type { OtlpExporter } from './exporter.ts';
import { encodeLogs, encodeLogsJson } from './logs.ts';

/** Beside its texts. */
const RECORD_BYTES = 400;

export class LogsPush implements LineKeeper {
  readonly #channel: OtlpChannel<LogRecord>;
  readonly #also: LineKeeper | null;

  constructor(exporter: OtlpExporter, also: LineKeeper | null) {
    this.#also = also;
    this.#channel = exporter.channel<LogRecord>({
      path: 'v1/logs',
      encode: (logs) =>
        exporter.encoding === 'json'
          ? new TextEncoder().encode(encodeLogsJson(logs, exporter.resource))
          : encodeLogs(logs, exporter.resource),
      bytesOf: ({ message, attributes }) => RECORD_BYTES + 2 * (message.length + JSON.stringify(attributes).length),
    });
  }

  addLine(line: string, level: LogLevel, context: WorkContext | null): void {
    this.#also?.addLine(line, level, context);
    this.#channel.add([recordOf(line)]);
  }
}
