/**
 * Results as a picture: for each algorithm the way from the median to the worst of a thousand, on a logarithmic scale, and what
 * failed. Three shapes tell the quantiles apart, so that colours need not; both colours are of Okabe and Ito's palette for all
 * kinds of sight. It has a background of its own, light or dark as the reader's.
 */
import type { Latencies, Result } from './results.ts';

const [LEFT, RIGHT, TOP, ROW] = [160, 620, 76, 30];
const [LOW_MS, HIGH_MS] = [10, 12_000];
const TICKS_MS = [10, 30, 100, 300, 1000, 3000, 10_000];

const STYLE = `
  text { font: 13px system-ui, sans-serif; fill: #24292f; }
  .small { font-size: 12px; fill: #57606a; }
  .title { font-size: 15px; font-weight: 600; }
  .end { text-anchor: end; } .mid { text-anchor: middle; }
  .ground { fill: #ffffff; } .grid { stroke: #d8dee4; } .span { stroke: #8c959f; stroke-width: 3; }
  .p50 { fill: #0072b2; } .p99 { fill: #d55e00; } .p999 { fill: #ffffff; stroke: #d55e00; stroke-width: 2.5; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; } .small { fill: #9da7b3; }
    .ground { fill: #0d1117; } .grid { stroke: #30363d; } .span { stroke: #6e7681; }
    .p50 { fill: #56b4e9; } .p99 { fill: #e69f00; } .p999 { fill: #0d1117; stroke: #e69f00; }
  }
`;

/** Where a time is on the scale. */
function at(ms: number): number {
  return LEFT + (Math.log(ms / LOW_MS) / Math.log(HIGH_MS / LOW_MS)) * (RIGHT - LEFT);
}

function circle(x: number, y: number): string {
  return `<circle class="p50" cx="${x.toFixed(1)}" cy="${y}" r="5.5"/>`;
}

function square(x: number, y: number): string {
  return `<rect class="p99" x="${(x - 5).toFixed(1)}" y="${y - 5}" width="10" height="10"/>`;
}

function diamond(x: number, y: number): string {
  return `<path class="p999" d="M${(x - 7).toFixed(1)} ${y}l7-7 7 7-7 7z"/>`;
}

function text(x: number, y: number, classes: string, words: string): string {
  return `<text x="${x}" y="${y}" class="${classes}">${words}</text>`;
}

function row({ name, p50Ms, p99Ms, p999Ms }: Latencies, y: number, failed: string): string {
  const [from, middle, to] = [at(p50Ms), at(p99Ms), at(p999Ms)];
  return [
    text(LEFT - 16, y + 4, 'end', name),
    `<path class="span" d="M${from.toFixed(1)} ${y}H${to.toFixed(1)}"/>`,
    circle(from, y),
    square(middle, y),
    diamond(to, y),
    text(RIGHT + 70, y + 4, 'end', failed),
  ].join('\n');
}

function legend(): string {
  const y = 46;
  return [
    circle(LEFT + 6, y) + text(LEFT + 18, y + 4, 'small', 'median'),
    square(LEFT + 86, y) + text(LEFT + 98, y + 4, 'small', '99 of 100'),
    diamond(LEFT + 186, y) + text(LEFT + 200, y + 4, 'small', '999 of 1,000 are answered by then'),
    text(RIGHT + 70, y + 4, 'small end', 'failed'),
  ].join('\n');
}

/** A whole SVG document. */
export function chart(least: Latencies, results: readonly Result[]): string {
  const bottom = TOP + (results.length + 1) * ROW - 8;
  const [width, height] = [RIGHT + 90, bottom + 34];
  const ticks = TICKS_MS.map((ms) => {
    const x = Number(at(ms).toFixed(1));
    const words = ms < 1000 ? `${ms} ms` : `${ms / 1000} s`;
    return `<path class="grid" d="M${x} ${TOP - 14}V${bottom}"/>${text(x, bottom + 18, 'small mid', words)}`;
  });
  const title = 'Answer times by algorithm: ten servers, four of them not as they should be';
  const rows = results.map((result, index) =>
    row(result, TOP + (index + 1) * ROW, `${(result.failedShare * 100).toFixed(2)} %`),
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`,
    `<title>${title}</title>`,
    `<style>${STYLE}</style>`,
    `<rect class="ground" width="${width}" height="${height}"/>`,
    text(16, 24, 'title', title),
    legend(),
    ...ticks,
    row(least, TOP, ''),
    ...rows,
    '</svg>',
    '',
  ].join('\n');
}
