/**
 * Dots on a chart, each a link to what happened at its moment with its value. They are elements over the canvas and not part of the
 * drawing, so the browser knows what is under the pointer, opens it in another tab, and has a line about it.
 *
 * The element of a dot stays the same while the dot does: a click is not lost because new data came in the middle of it. For keys and ears
 * there are other ways to the same places, in plot.ts and in the table; so no dot is a stop on the way of the Tab key.
 */
import type { Dot } from './reading.ts';

/** In px from the top left of the area; null: not within it. */
export type DotPlace = (dot: Dot) => readonly [x: number, y: number] | null;

export class Dots {
  readonly #layer = document.createElement('div');
  #links = new Map<string, HTMLAnchorElement>();

  constructor(area: HTMLElement) {
    this.#layer.className = 'dots';
    this.#layer.ariaHidden = 'true';
    area.append(this.#layer);
  }

  place(dots: readonly Dot[], placeOf: DotPlace): void {
    const before = this.#links;
    this.#links = new Map();
    for (const dot of dots) {
      const place = placeOf(dot);
      if (place === null) continue;
      // One trace may have several, each at its moment with its value.
      const key = `${dot.href} ${dot.atMs} ${dot.value}`;
      const link = before.get(key) ?? this.#made(dot);
      before.delete(key);
      this.#links.set(key, link);
      link.style.left = `${place[0]}px`;
      link.style.top = `${place[1]}px`;
    }
    for (const link of before.values()) link.remove();
  }

  [Symbol.dispose](): void {
    this.#layer.remove();
  }

  #made({ href, what, failed }: Dot): HTMLAnchorElement {
    const link = document.createElement('a');
    link.href = href;
    link.title = what;
    link.ariaLabel = what;
    link.tabIndex = -1;
    link.className = failed ? 'failed' : '';
    this.#layer.append(link);
    return link;
  }
}
