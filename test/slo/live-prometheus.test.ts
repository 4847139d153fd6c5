/**
 * Live evaluation beside a real Prometheus that has the same samples: the expressions of the compiled rules, asked at the same moments.
 *
 * Equal to rounding, because moments are chosen at which windows begin with a sample and with a step of the series. Where that is not so
 * they differ by design, and the difference is bounded: what was counted while nobody looked belongs to the moment it was seen, and Prometheus
 * forgets it if a window begins within that time.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { findCommand, serverPath } from '../../scripts/servers.ts';
import { SimulatedClock } from '../../src/kernel/simulated-clock.ts';
import { createSeries, createSloEvaluator, resolveSlos } from '../../src/observe/index.ts';
import { labelNames } from '../../src/observe/slo/rule-labels.ts';
import { ruleGroup, shareRecord } from '../../src/observe/slo/rules.ts';
import { PrometheusServer } from '../servers/prometheus.ts';

const SCRAPE_S = 10;
const HOUR_S = 3600;

interface Sample {
  readonly atS: number;
  readonly all: number;
  readonly bad: number;
}

/** Eight hours that end where the last hour of this clock began: a leak, an outage, a new process, scrapes that were lost. */
function samplesUntil(endS: number): Sample[] {
  const samples: Sample[] = [];
  let [all, bad] = [0, 0];
  for (let atS = endS - 8 * HOUR_S; atS <= endS; atS += SCRAPE_S) {
    const ago = endS - atS;
    const requests = 40 + ((atS / SCRAPE_S) % 7);
    const failing = ago < 600 ? 1 : ago < 2 * HOUR_S ? 0.004 : ago < 5 * HOUR_S ? 0.0005 : 0;
    if (ago === 6000) [all, bad] = [0, 0];
    if (samples.length > 0) [all, bad] = [all + requests, bad + Math.round(requests * failing)];
    const isLost = ago > 2 * HOUR_S + 600 && ago < 2 * HOUR_S + 1200;
    if (!isLost) samples.push({ atS, all, bad });
  }
  return samples;
}

test('shares and alerts are those of the real Prometheus on the same samples', { timeout: 110_000 }, async () => {
  const { slos, mistakes } = resolveSlos({
    service: 'shop',
    slos: [{ name: 'up', objective: '99.9%', sli: { events: { bad: 'bad_total', total: 'all_total' } } }],
  });
  assert.deepEqual(mistakes, []);
  const slo = slos!.slos[0]!;
  // The last second of a step of the coarsest kind, so that windows begin where steps do.
  const endS = Math.floor(Date.now() / 1000 / 300) * 300 - HOUR_S - 1;
  const samples = samplesUntil(endS);
  const folder = mkdtempSync(join(tmpdir(), 'spillway-backfill-'));
  const lines = (name: 'all' | 'bad') => [
    `# TYPE ${name} counter`,
    ...samples.map((sample) => `${name}_total ${sample[name]} ${sample.atS}`),
  ];
  writeFileSync(join(folder, 'in.txt'), [...lines('all'), ...lines('bad'), '# EOF', ''].join('\n'));
  const promtool = serverPath('prometheus');
  const fill = (data: string): void => {
    const made = spawnSync(promtool, ['tsdb', 'create-blocks-from', 'openmetrics', join(folder, 'in.txt'), data]);
    assert.equal(made.status, 0, String(made.stderr));
  };
  await using prometheus = await PrometheusServer.start('127.0.0.1:1', { fill });
  rmSync(folder, { recursive: true });
  const version = spawnSync(findCommand('prometheus')!, ['--version'], { encoding: 'utf8' });
  // From version 3 on the first sample of a window is not in it.
  const isLeftOpen = !/version 2\./.test(version.stdout + version.stderr);

  const clock = new SimulatedClock(samples[0]!.atS * 1000);
  const live = createSloEvaluator({ slos: [slo], series: createSeries({ clock }), clock });
  const moments = new Set([0, 300, 600, 3600, 4500, 5400, 9000, 12_000, 5 * HOUR_S].map((ago) => endS - ago));
  const rules = ruleGroup(slo, labelNames.spillway).rules;
  let [compared, fired, inGap] = [0, 0, 0];
  for (const [at, { atS, all, bad }] of samples.entries()) {
    const before = samples[at - 1];
    if (before !== undefined) clock.pass((atS - before.atS) * 1000);
    const grown = (now: number, then: number): number => (now < then ? now : now - then);
    if (before !== undefined) live.count('shop-up', { total: grown(all, before.all), bad: grown(bad, before.bad) });
    if (!moments.has(atS)) continue;
    const [status] = live.evaluate();
    const shares = new Map<number, number | null>();
    for (const { windowS, value } of status!.burn) {
      const rule = rules.find((each) => 'record' in each && each.record === shareRecord(windowS))!;
      const [found] = await prometheus.query(rule.expr, atS);
      const share = found?.[1] ?? null;
      shares.set(windowS, share);
      const ours = value === null ? null : value * 0.001;
      const fromS = atS - windowS;
      const isWhole = fromS <= samples[0]!.atS || samples.some((sample) => sample.atS === fromS);
      if (ours === null || share === null) {
        assert.equal(ours, share, `${windowS} s at ${endS - atS} s before the end`);
        continue;
      }
      // Of a gap in which the window begins: all that was counted in it, of all that was counted in the window.
      const next = samples.findIndex((sample) => sample.atS >= fromS);
      const lost = isWhole ? 0 : grown(samples[next]!.all, samples[next - 1]?.all ?? 0);
      const counted = samples.slice(next).reduce((sum, sample, index, list) => {
        const then = list[index - 1];
        return then === undefined || sample.atS > atS ? sum : sum + grown(sample.all, then.all);
      }, 0);
      const tolerance = isWhole ? (isLeftOpen ? (2 * SCRAPE_S) / windowS : 1e-9) : lost / counted;
      assert.ok(
        Math.abs(ours - share) <= tolerance,
        `${windowS} s at ${endS - atS} s before the end: ${ours} live, ${share}`,
      );
      if (isWhole) compared++;
      else inGap++;
    }
    for (const { longS, shortS, burn, state } of status!.alerts) {
      const isOn = [longS, shortS].every((windowS) => (shares.get(windowS) ?? 0) > burn * 0.001);
      assert.equal(state === 'firing', isOn, `${burn} at ${endS - atS} s before the end`);
      if (isOn) fired++;
    }
  }
  assert.ok(compared >= 40 && fired >= 4 && inGap >= 1, `${compared} shares, ${inGap} in a gap, ${fired} alerts on`);
});
