/**
 * Keys that work everywhere: `g` and a letter goes to a screen, `?` shows them all, `/` finds, `t` changes light and dark. None while
 * somebody types, none with Ctrl, Alt or Meta, which are the browser's, and none for the page behind an open dialog.
 */
import { signal } from '@preact/signals';
import { hashOf } from './router.ts';
import { screens } from './screens.ts';
import { changeTheme } from './theme.ts';

export const helpShown = signal(false);

/** For the help sheet. */
export const keyHelp: readonly (readonly [keys: string, what: string])[] = [
  ...screens.map(({ key, title }): readonly [string, string] => [`g ${key}`, title]),
  ['/', 'find in the table'],
  ['← → PgUp PgDn Home End', 'along the chart that has the focus'],
  ['Enter', 'open the trace that stands there'],
  ['t', 'light, dark, or as the system'],
  ['?', 'this list'],
  ['Esc', 'close'],
];

export function followKeys(): void {
  let isGoing = false;
  // Whoever does something else meanwhile, or is shown a dialog, has let go of it.
  for (const kind of ['pointerdown', 'focusin']) window.addEventListener(kind, () => (isGoing = false));
  window.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    if (document.querySelector('dialog[open]') !== null) {
      isGoing = false;
      if (event.key === '?') helpShown.value = false;
      return;
    }
    const wasGoing = isGoing;
    isGoing = event.key === 'g';
    if (wasGoing) {
      const screen = screens.find(({ key }) => key === event.key);
      if (screen !== undefined) location.hash = hashOf(screen.id);
      return;
    }
    if (event.key === '?') helpShown.value = !helpShown.value;
    else if (event.key === 't') changeTheme();
    else if (event.key === '/') {
      const field = document.querySelector<HTMLInputElement>('input[type="search"]');
      if (field === null) return;
      field.focus();
      event.preventDefault();
    }
  });
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.matches('input, textarea, select') || target.isContentEditable);
}
