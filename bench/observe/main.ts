/**
 * `npm run bench -- observe`: what an update of a metric costs, what a series takes and what a page of 50,000 costs, beside prom-client and
 * OpenTelemetry; what a span costs, beside the latter; what a log line costs, beside pino; what all of it
 * costs for a request through the gateway, beside `JSON.stringify` of its line. Contenders take turns; a figure is
 * the best of them, CPU time of the process.
 *
 *     npm run bench -- observe                     all of it but the last
 *     npm run bench -- observe --only updates      one part: updates, memory, page, patterns, spans, request,
 *                                                  gateway-page, series, logs or instrument
 *     npm run bench -- observe --only left-open    what the dashboard holds while it is left open for ten minutes
 */
import { parseArgs } from 'node:util';
import { partsAsked } from '../parts.ts';
import { gatewayPagePart } from './gateway-page.ts';
import { instrumentPart } from './instrument.ts';
import { leftOpenPart } from './left-open.ts';
import { logsPart } from './logs.ts';
import { memoryPart } from './memory.ts';
import { pagePart } from './page.ts';
import { patternsPart } from './patterns.ts';
import { requestPart } from './request.ts';
import { seriesPart } from './series.ts';
import { spansPart } from './spans.ts';
import { updatesPart } from './updates.ts';

const { values } = parseArgs({ options: { only: { type: 'string' } } });
const parts = {
  updates: updatesPart,
  memory: memoryPart,
  page: pagePart,
  patterns: patternsPart,
  spans: spansPart,
  request: requestPart,
  'gateway-page': gatewayPagePart,
  series: seriesPart,
  logs: logsPart,
  instrument: instrumentPart,
  'left-open': leftOpenPart,
};
/** It takes as long as it says. */
const whenAsked = ['left-open'];
for (const [, part] of partsAsked(parts, values.only, whenAsked)) await part();
