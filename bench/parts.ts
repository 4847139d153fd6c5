/** The parts of a benchmark that are to run: the one that is asked for, or all but those that run only when asked for. */
export function partsAsked<Part>(
  parts: Readonly<Record<string, Part>>,
  only: string | undefined,
  whenAsked: readonly string[] = [],
): [name: string, part: Part][] {
  if (only !== undefined && !Object.hasOwn(parts, only))
    throw new Error(`no part is called ${only}; there are ${Object.keys(parts).join(', ')}`);
  return Object.entries(parts).filter(([name]) => (only === undefined ? !whenAsked.includes(name) : name === only));
}
