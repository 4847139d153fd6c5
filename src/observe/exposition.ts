/** A page for a scraper: families in the format that it asks for, in chunks between which the event loop turns. */
import { inChunks } from './page.ts';
import { formatMetrics, type MetricFamily, type PageFormat } from './prometheus.ts';
import { protobufPage } from './protobuf-page.ts';

export function pageOf(families: Iterable<MetricFamily>, format: PageFormat): AsyncIterable<string | Uint8Array> {
  return format === 'protobuf' ? protobufPage(families) : inChunks(formatMetrics(families, format));
}
