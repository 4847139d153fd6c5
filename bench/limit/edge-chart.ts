/**
 * The burst at the edge of a window as a picture: how much each algorithm has granted to a client that never stops asking. Dashes
 * tell the lines apart, so that colours need not; the colours are of Okabe and Ito's palette for all kinds of sight.
 */
import { BEFORE_MS, edgeAlgorithms, type EdgeName, grants, LASTS_MS } from './edge.ts';

const [LEFT, RIGHT, TOP, BOTTOM] = [56, 560, 70, 330];
const GRANTED_MAX = 320;

const STYLE = `
  text { font: 13px system-ui, sans-serif; fill: #24292f; }
  .small { font-size: 12px; fill: #57606a; }
  .title { font-size: 15px; font-weight: 600; }
  .end { text-anchor: end; } .mid { text-anchor: middle; }
  .ground { fill: #ffffff; } .grid { stroke: #d8dee4; } .edge { stroke: #8c959f; stroke-dasharray: 2 3; }
  .line { fill: none; stroke-width: 2.5; stroke-linejoin: round; }
  .fixed { stroke: #d55e00; } .sliding { stroke: #0072b2; stroke-dasharray: 9 3; }
  .log { stroke: #009e73; stroke-dasharray: 3 3; } .bucket { stroke: #cc79a7; stroke-dasharray: 12 3 2 3; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; } .small { fill: #9da7b3; }
    .ground { fill: #0d1117; } .grid { stroke: #30363d; } .edge { stroke: #6e7681; }
    .fixed { stroke: #e69f00; } .sliding { stroke: #56b4e9; }
  }
`;

const classes: Readonly<Record<EdgeName, string>> = {
  'fixed window': 'fixed',
  'sliding window': 'sliding',
  'sliding log': 'log',
  'token bucket': 'bucket',
};

const x = (ms: number): number => LEFT + ((ms + BEFORE_MS) / LASTS_MS) * (RIGHT - LEFT);
const y = (granted: number): number => BOTTOM - (granted / GRANTED_MAX) * (BOTTOM - TOP);

function text(atX: number, atY: number, kind: string, words: string): string {
  return `<text x="${atX.toFixed(1)}" y="${atY.toFixed(1)}" class="${kind}">${words}</text>`;
}

/** Steps, one every half second: as fine as can be seen. */
function line(name: EdgeName, granted: readonly number[]): string {
  const points: string[] = [];
  for (let [ms, count] = [-BEFORE_MS, 0]; ms <= LASTS_MS - BEFORE_MS; ms += 500) {
    while (count < granted.length && granted[count]! < ms) count += 1;
    points.push(`${x(ms).toFixed(1)} ${y(count).toFixed(1)}`);
  }
  return `<path class="line ${classes[name]}" d="M${points.join('L')}"/>`;
}

/** An SVG of some 10 KB. */
export function edgeChart(): string {
  const names = Object.keys(edgeAlgorithms) as EdgeName[];
  const all = names.map((name) => [name, grants(edgeAlgorithms[name])] as const);
  const grid = [0, 100, 200, 300].flatMap((count) => [
    `<path class="grid" d="M${LEFT} ${y(count).toFixed(1)}H${RIGHT}"/>`,
    text(LEFT - 8, y(count) + 4, 'small end', String(count)),
  ]);
  const edges = [0, 60_000].flatMap((ms) => [
    `<path class="edge" d="M${x(ms).toFixed(1)} ${TOP}V${BOTTOM}"/>`,
    text(x(ms), BOTTOM + 18, 'small mid', ms === 0 ? '12:00:00' : '12:01:00'),
  ]);
  // Names of lines that end near each other keep a line's height apart.
  const ends = all.map(([name, granted]) => ({ name, at: y(granted.length) })).toSorted((a, b) => a.at - b.at);
  ends.forEach((end, index) => {
    if (index > 0) end.at = Math.max(end.at, ends[index - 1]!.at + 16);
  });
  return `${[
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 680 370" width="680" height="370" role="img">',
    '<title>What a client is granted that asks all the time across the edge of a window</title>',
    `<style>${STYLE}</style>`,
    '<rect class="ground" width="680" height="370"/>',
    text(20, 28, 'title', 'Granted to a client that never stops asking'),
    text(
      20,
      48,
      'small',
      'It begins ten seconds before the full minute. All limit to 100 a minute; the bucket holds 50.',
    ),
    ...grid,
    ...edges,
    ...all.map(([name, granted]) => line(name, granted)),
    ...ends.map(({ name, at }) => text(RIGHT + 8, at + 4, '', name)),
    '</svg>',
  ].join('\n')}\n`;
}
