/** OTLP to the admin address of a gateway, as exporters send it: what there is no time for is sent again when the gateway says. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';

/** A text is JSON, bytes are protobuf. */
export async function pushOtlp(address: string, path: string, body: Uint8Array | string): Promise<void> {
  const type = typeof body === 'string' ? 'application/json' : 'application/x-protobuf';
  for (;;) {
    const headers = { 'Content-Type': type };
    const response = await fetch(`http://${address}${path}`, { method: 'POST', headers, body: body as never });
    const text = await response.text();
    if (response.status !== 429) {
      assert.equal(response.status, 200, text);
      return;
    }
    await sleep(1000 * Number(response.headers.get('Retry-After')));
  }
}
