/**
 * What a page of the browser holds, after it has collected its garbage: all that its script has made (objects, texts, arrays), and apart from it the
 * machine code that the browser compiles of what runs often, which grows for some minutes and is bounded by what there is to compile.
 * What the browser holds beside the script (the document, what its developer tools note of each request) is in neither.
 */
import type { CDPSession } from 'playwright-core';

export interface PageHeap {
  readonly dataBytes: number;
  readonly codeBytes: number;
}

interface Snapshot {
  readonly snapshot: { readonly meta: { readonly node_fields: readonly string[]; readonly node_types: readonly [readonly string[]] } };
  /** As many numbers a node as it has fields. */
  readonly nodes: readonly number[];
} // prettier-ignore

export async function collectGarbage(cdp: CDPSession): Promise<void> {
  // Twice: what the first finds dead may have held more.
  for (let times = 0; times < 2; times++) await cdp.send('HeapProfiler.collectGarbage');
}

export async function readPageHeap(cdp: CDPSession): Promise<PageHeap> {
  await collectGarbage(cdp);
  let text = '';
  const add = ({ chunk }: { readonly chunk: string }): void => void (text += chunk);
  cdp.on('HeapProfiler.addHeapSnapshotChunk', add);
  await cdp.send('HeapProfiler.takeHeapSnapshot', { reportProgress: false });
  cdp.off('HeapProfiler.addHeapSnapshotChunk', add);
  const { snapshot, nodes } = JSON.parse(text) as Snapshot;
  const { node_fields: fields, node_types: types } = snapshot.meta;
  const [type, size] = [fields.indexOf('type'), fields.indexOf('self_size')];
  let [dataBytes, codeBytes] = [0, 0];
  for (let node = 0; node < nodes.length; node += fields.length) {
    const bytes = nodes[node + size]!;
    const kind = types[0][nodes[node + type]!];
    if (kind === 'code') codeBytes += bytes;
    else if (kind !== 'native') dataBytes += bytes;
  }
  return { dataBytes, codeBytes };
}
