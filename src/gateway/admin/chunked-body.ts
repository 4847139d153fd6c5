/**
 * A body that is made while it is sent. The next chunk is made when the reader has taken enough of those before, so what is in memory is
 * bounded; a reader that is gone, or takes nothing for `IDLE_MS`, ends the making.
 */
import type { ServerResponse } from 'node:http';

/** A scraper's own patience is ten seconds by default. */
const IDLE_MS = 30_000;

/** Sends all of `chunks` as the body of `response`, whose head is written. What `chunks` throws it throws: the answer is not whole then. */
export async function writeChunks(
  response: ServerResponse,
  chunks: AsyncIterable<string | Uint8Array>,
  idleMs = IDLE_MS,
): Promise<void> {
  response.setTimeout(idleMs, () => response.destroy());
  for await (const chunk of chunks) {
    if (response.destroyed) return;
    if (!response.write(chunk)) await room(response);
  }
  response.end();
}

/** Until what was written has gone, or the reader has. */
function room(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const over = (): void => {
      response.off('drain', over).off('close', over);
      resolve();
    };
    response.on('drain', over).on('close', over);
    if (response.destroyed) over();
  });
}
