/**
 * A page of metrics a bit at a time: between two chunks the event loop turns, so that 50,000 series hold up no request. A chunk is at most
 * `LINES_MAX` lines (and what one step has more), some 0.2 ms of work. What a step shows is read when its turn comes.
 */

export const LINES_MAX = 256;

export interface Step {
  readonly text: string;
  /** What it cost, in lines of text. */
  readonly lines: number;
}

/** The steps as chunks. A reader that takes no more ends it: no step is made that is not wanted. */
export async function* inChunks(steps: Iterable<Step>): AsyncGenerator<string, void> {
  let text = '';
  let lines = 0;
  for (const step of steps) {
    text += step.text;
    lines += step.lines;
    if (lines < LINES_MAX) continue;
    if (text !== '') yield text;
    [text, lines] = ['', 0];
    await turn();
  }
  if (text !== '') yield text;
}

/** Of the event loop: others do what is theirs. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
