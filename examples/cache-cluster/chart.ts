/** The hit rates of several runs as a picture. Dashes tell the lines apart, so that colours need not. */
import { type Run, WINDOW, WINDOWS_AFTER, WINDOWS_BEFORE } from './experiment.ts';

const [LEFT, RIGHT, TOP, BOTTOM] = [56, 560, 70, 330];

const STYLE = `
  text { font: 13px system-ui, sans-serif; fill: #24292f; }
  .small { font-size: 12px; fill: #57606a; }
  .title { font-size: 15px; font-weight: 600; }
  .end { text-anchor: end; } .mid { text-anchor: middle; }
  .ground { fill: #ffffff; } .grid { stroke: #d8dee4; } .change { stroke: #8c959f; stroke-dasharray: 2 3; }
  .line { fill: none; stroke-width: 2.5; stroke-linejoin: round; }
  .line0 { stroke: #d55e00; stroke-dasharray: 9 3; } .line1 { stroke: #0072b2; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; } .small { fill: #9da7b3; }
    .ground { fill: #0d1117; } .grid { stroke: #30363d; } .change { stroke: #6e7681; }
    .line0 { stroke: #e69f00; } .line1 { stroke: #56b4e9; }
  }
`;

/** `window` counts from the change; a point stands in the middle of its thousand. */
const x = (window: number): number =>
  LEFT + ((window + WINDOWS_BEFORE) / (WINDOWS_BEFORE + WINDOWS_AFTER)) * (RIGHT - LEFT);
const y = (rate: number): number => BOTTOM - rate * (BOTTOM - TOP);

function text(atX: number, atY: number, kind: string, words: string): string {
  return `<text x="${atX.toFixed(1)}" y="${atY.toFixed(1)}" class="${kind}">${words}</text>`;
}

function curve({ algorithm, before, after }: Run, index: number): string {
  const points = [...before, ...after].map(
    (hits, at) => `${x(at - before.length + 0.5).toFixed(1)} ${y(hits / WINDOW).toFixed(1)}`,
  );
  const lowest = Math.min(...after);
  const label = text(
    x(after.indexOf(lowest) + 0.5) + 10,
    y(lowest / WINDOW) + 14,
    '',
    `${algorithm}: down to ${((lowest / WINDOW) * 100).toFixed(0)} %`,
  );
  return `<path class="line line${index}" d="M${points.join('L')}"/>\n${label}`;
}

/** A whole SVG document. */
export function chart(runs: readonly Run[]): string {
  const title = 'Hit rate of a cache of four servers when a fifth joins';
  const grid = [0, 0.25, 0.5, 0.75, 1].flatMap((rate) => [
    `<path class="grid" d="M${LEFT} ${y(rate).toFixed(1)}H${RIGHT}"/>`,
    text(LEFT - 8, y(rate) + 4, 'small end', `${rate * 100} %`),
  ]);
  const ticks = [0, 5, 10, 15, 20].map((window) =>
    text(x(window), BOTTOM + 18, 'small mid', window === 0 ? 'it joins' : `+${window},000`),
  );
  return `${[
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 620 380" width="620" height="380" role="img">',
    `<title>${title}</title>`,
    `<style>${STYLE}</style>`,
    '<rect class="ground" width="620" height="380"/>',
    text(20, 28, 'title', title),
    text(20, 48, 'small', 'Ten thousand keys, all of them cached; counted in a run of examples/cache-cluster.'),
    ...grid,
    `<path class="change" d="M${x(0).toFixed(1)} ${TOP}V${BOTTOM}"/>`,
    ...ticks,
    text(RIGHT, BOTTOM + 34, 'small end', 'requests since then'),
    ...runs.map(curve),
    '</svg>',
  ].join('\n')}\n`;
}
