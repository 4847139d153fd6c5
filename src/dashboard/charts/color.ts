/**
 * A colour of the style sheet as a canvas takes it. The value of a variable is its text, `light-dark(…)`, which no canvas knows; that of a
 * property is the colour, light or dark as it is just then. The one that is used here is seen only where somebody types.
 */
export function colorOf(host: HTMLElement, variable: string): string {
  host.style.caretColor = `var(${variable})`;
  return getComputedStyle(host).caretColor;
}
