/**
 * A plan as a picture: the circle of positions as an SVG, what moves in the colour of who gets it, what stays in grey.
 *
 * The circle is drawn in sectors of a quarter of a degree, each as strong as the share of it that moves: a ring of a million
 * ranges makes a picture no larger than one of a thousand. Where an algorithm scatters its keys, the moves are laid one behind
 * another, the largest first. At most some 250 KB.
 */
import { checkPlan, type Plan, type Range } from './plan.ts';

const SECTORS = 1440;
const POSITIONS = 2 ** 32;
const LEGEND_MAX = 24;
const [CENTRE, OUTER, INNER] = [200, 180, 130];

interface Sector {
  /** Its number, from the top, clockwise. */
  readonly at: number;
  readonly taker: string | null;
  /** How much of it moves, 0 to 1. */
  readonly strength: number;
}

/** What a node gets, and where on the circle. */
interface Gain {
  readonly to: string | null;
  readonly ranges: readonly Range[];
}

/** Of each sector how much goes to the one who gets most of it. */
function sectorsOf(gains: Iterable<Gain>): Sector[] {
  const width = POSITIONS / SECTORS;
  const moving = new Float64Array(SECTORS);
  const most = new Float64Array(SECTORS);
  const takers = new Array<string | null>(SECTORS).fill(null);
  for (const { to, ranges } of gains) {
    const own = new Map<number, number>();
    for (const { first, last } of ranges) {
      for (let at = Math.floor(first / width); at * width <= last && at < SECTORS; at++) {
        const part = Math.min(last + 1, (at + 1) * width) - Math.max(first, at * width);
        own.set(at, (own.get(at) ?? 0) + part / width);
      }
    }
    for (const [at, part] of own) {
      moving[at]! += part;
      if (part <= most[at]!) continue;
      most[at] = part;
      takers[at] = to;
    }
  }
  return Array.from(moving, (strength, at) => ({ at, taker: takers[at]!, strength }));
}

/** Where the moves of a plan are drawn: those without ranges of their own, one behind another. */
function* gainsOf(moves: Plan['moves']): Generator<Gain> {
  let end = 0;
  for (const { to, share, ranges } of moves) {
    const first = end;
    end += share * POSITIONS;
    yield { to, ranges: ranges ?? [{ first, last: end - 1 }] };
  }
}

function point(sector: number, radius: number): string {
  const angle = (sector / SECTORS) * 2 * Math.PI;
  return `${(CENTRE + radius * Math.sin(angle)).toFixed(2)} ${(CENTRE - radius * Math.cos(angle)).toFixed(2)}`;
}

function path({ at, strength }: Sector, colour: string): string {
  const shape =
    `M${point(at, OUTER)}A${OUTER} ${OUTER} 0 0 1 ${point(at + 1, OUTER)}` +
    `L${point(at + 1, INNER)}A${INNER} ${INNER} 0 0 0 ${point(at, INNER)}Z`;
  return `<path d="${shape}" fill="${colour}" fill-opacity="${strength.toFixed(3)}"/>`;
}

function escaped(text: string): string {
  return text.replaceAll(/[<>&"\p{Cc}\ufffe\uffff]/gu, (character) => {
    // XML has no way to write the others.
    return `&#${character < ' ' || character > '\ufffd' ? 0xfffd : character.codePointAt(0)};`;
  });
}

/** A plan as a whole SVG document. */
export function planPicture(plan: Plan): string {
  checkPlan(plan);
  const { moves, moved, least } = plan;
  const takers = [...new Set(moves.map(({ to }) => to))];
  // The golden angle keeps neighbours in the list apart in colour, however many there are.
  const colours = new Map(takers.map((taker, index) => [taker, `hsl(${Math.round(index * 137.508) % 360} 65% 50%)`]));
  const shapes = sectorsOf(gainsOf(moves))
    .filter(({ strength }) => strength > 0)
    .map((sector) => path(sector, colours.get(sector.taker)!));
  const legend = takers.slice(0, LEGEND_MAX).map((taker, index) => {
    const share = moves.reduce((sum, move) => (move.to === taker ? sum + move.share : sum), 0);
    const y = 40 + index * 14;
    const text = `${escaped(taker ?? '(nobody)')} +${(share * 100).toFixed(2)} %`;
    return `<rect x="410" y="${y - 9}" width="10" height="10" fill="${colours.get(taker)}"/><text x="425" y="${y}">${text}</text>`;
  });
  if (takers.length > LEGEND_MAX) {
    legend.push(`<text x="425" y="${40 + LEGEND_MAX * 14}">and ${takers.length - LEGEND_MAX} more</text>`);
  }
  const ring = (OUTER + INNER) / 2;
  return [
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 400" font-family="sans-serif" font-size="11">',
    `<circle cx="${CENTRE}" cy="${CENTRE}" r="${ring}" fill="none" stroke="#ddd" stroke-width="${OUTER - INNER}"/>`,
    ...shapes,
    `<text x="${CENTRE}" y="${CENTRE}" text-anchor="middle" font-size="20">${(moved * 100).toFixed(1)} % move</text>`,
    `<text x="${CENTRE}" y="${CENTRE + 20}" text-anchor="middle">${(least * 100).toFixed(1)} % must</text>`,
    ...legend,
    '</svg>',
    '',
  ].join('\n');
}
