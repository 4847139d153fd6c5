/**
 * How much heap a worker may have. Bodies and heads are in buffers outside it (`memoryMax` bounds those), so what is in the heap is
 * one small context per connection and the compiled config: 20,000 connections take some 60 MB.
 *
 * A worker that reaches the limit is ended by V8 and replaced, so the limit is what one leak can cost the machine. The young
 * generation is set to what V8 gives a server (three semi-spaces of 16 MB), so that it does not shrink with the other limit.
 */
import type { ResourceLimits } from 'node:worker_threads';

export const resourceLimits: ResourceLimits = { maxOldGenerationSizeMb: 512, maxYoungGenerationSizeMb: 48 };
