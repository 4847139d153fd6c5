/** ns a pick by number of endpoints. Run: `node src/balance/balance.bench.ts`. */
import { createBalancer } from './algorithms.ts';
import { createPickContext } from './balancer.ts';

for (const endpoints of [2, 10, 100, 1000]) {
  const balancer = createBalancer('round-robin', { weights: Array.from({ length: endpoints }, (_, i) => 1 + (i % 3)) });
  const context = createPickContext(endpoints);
  if (endpoints > 2) context.eligible[1] = 0;
  const rounds = 20_000_000 / endpoints;
  let sink = 0;
  let bestNs = Number.POSITIVE_INFINITY;
  for (let repeat = 0; repeat < 5; repeat++) {
    const before = process.hrtime.bigint();
    for (let round = 0; round < rounds; round++) sink += balancer.pick(context);
    bestNs = Math.min(bestNs, Number(process.hrtime.bigint() - before) / rounds);
  }
  process.stdout.write(`round-robin, ${endpoints} endpoints: ${bestNs.toFixed(1)} ns a pick${sink < 0 ? '!' : ''}\n`);
}
