/** The lines of a stream of bytes, each whole; a line that does not end is an error, and not more memory. */
import { formatSize } from '../../kernel/units.ts';
import { GarbledAnswer } from './answers.ts';

const NEWLINE = 0x0a;

/** What is after the last newline when the stream ends is no line: it was cut off. */
export async function* linesOf(stream: AsyncIterable<Buffer>, bytesMax: number): AsyncGenerator<string, void> {
  let parts: Buffer[] = [];
  let length = 0;
  for await (const chunk of stream) {
    let from = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, from)) {
      const line = Buffer.concat([...parts, chunk.subarray(from, end)]);
      parts = [];
      length = 0;
      from = end + 1;
      // Between messages, etcd's gateway writes empty ones.
      if (line.length > 0) yield line.toString();
    }
    if (from < chunk.length) parts.push(chunk.subarray(from));
    length += chunk.length - from;
    if (length > bytesMax) throw new GarbledAnswer(`a line of more than ${formatSize(bytesMax)}`);
  }
}
