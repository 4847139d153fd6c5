/** A Prometheus of a test's own, that scrapes what it is told to once a second, and is asked by its API. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { findCommand, serverPath } from '../../scripts/servers.ts';
import { freePort } from '../ports.ts';
import { ServerProcess } from './server-process.ts';

/** Between two looks at what has no event. */
const LOOK_MS = 50;

export interface Target {
  readonly health: string;
  readonly lastError: string;
  readonly lastScrape: string;
}

interface Result {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [timeS: number, value: string];
}

export class PrometheusServer {
  readonly url: string;
  readonly #folder: string;
  readonly #process: ServerProcess;

  private constructor(port: number, folder: string, process: ServerProcess) {
    this.url = `http://127.0.0.1:${port}`;
    this.#folder = folder;
    this.#process = process;
  }

  /** It scrapes `/metrics` at `address`, and evaluates the rules of these files once a second. */
  static async start(
    address: string,
    {
      ruleFiles = [],
      features = [],
      fill = () => {},
    }: {
      readonly ruleFiles?: readonly string[];
      readonly features?: readonly string[];
      /** Given its data folder before it starts, to put blocks there. */
      readonly fill?: (folder: string) => void;
    } = {},
  ): Promise<PrometheusServer> {
    const folder = mkdtempSync(join(tmpdir(), 'spillway-prometheus-'));
    const port = await freePort();
    fill(join(folder, 'data'));
    const config = join(folder, 'prometheus.yml');
    const job = { job_name: 'under-test', static_configs: [{ targets: [address] }] };
    // JSON is YAML.
    const global = { scrape_interval: '1s', evaluation_interval: '1s' };
    writeFileSync(config, JSON.stringify({ global, scrape_configs: [job], rule_files: ruleFiles }));
    const command = [
      findCommand('prometheus') ?? 'prometheus',
      `--config.file=${config}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      `--enable-feature=${['exemplar-storage', ...features].join(',')}`,
    ];
    const server = new ServerProcess({ command, ready: /Server is ready to receive web requests/ });
    await server.start();
    return new PrometheusServer(port, folder, server);
  }

  /** The target, after it has been scraped or has failed. */
  async scraped(): Promise<Target> {
    while (true) {
      const { activeTargets } = await this.#ask<{ activeTargets: Target[] }>('/api/v1/targets');
      const [target] = activeTargets;
      const isScraped = target !== undefined && target.health !== 'unknown';
      // Its health is told a moment before what was scraped is kept, `up` with it.
      if (isScraped && (await this.query('up')).length > 0) return target;
      await sleep(LOOK_MS);
    }
  }

  /** The labels and value of each result of a query, in the order of the answer; as of a moment in Unix seconds, else now. */
  async query(query: string, atS?: number): Promise<[labels: Readonly<Record<string, string>>, value: number][]> {
    const time = atS === undefined ? {} : { time: String(atS) };
    const { result } = await this.#ask<{ result: Result[] }>('/api/v1/query', { query, ...time });
    return result.map(({ metric, value }) => [metric, Number(value[1])]);
  }

  /** The labels of all exemplars of a series. */
  async exemplars(query: string): Promise<Readonly<Record<string, string>>[]> {
    const range = { query, start: '0', end: '9999999999' };
    const found = await this.#ask<{ exemplars: { labels: Record<string, string> }[] }[]>(
      '/api/v1/query_exemplars',
      range,
    );
    return found.flatMap(({ exemplars }) => exemplars.map(({ labels }) => labels));
  }

  /** All samples of a metric, as `promtool tsdb dump` writes them. */
  dump(metric: string): string {
    const args = ['tsdb', 'dump', `--match={__name__="${metric}"}`, join(this.#folder, 'data')];
    const { stdout, stderr, status } = spawnSync(serverPath('prometheus'), args, { encoding: 'utf8', timeout: 60_000 });
    if (status !== 0) throw new Error(`promtool tsdb dump: ${stderr}`);
    return stdout;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #ask<T>(path: string, parameters: Readonly<Record<string, string>> = {}): Promise<T> {
    const response = await fetch(`${this.url}${path}?${new URLSearchParams(parameters)}`);
    const { data, error } = (await response.json()) as { readonly data?: T; readonly error?: string };
    if (data === undefined) throw new Error(`${path}: ${error}`);
    return data;
  }
}
