/**
 * What the page takes from the browser: time, storage, how wide it is and whether it is looked at. The one file of the dashboard that touches these, so that all else
 * can be tested without a browser.
 */
import type { Clock } from '../kernel/clock.ts';

// WHY: the page's own clock, the only one there is; everything else is handed this.
export const pageClock: Clock = {
  nowMs: () => performance.now(), // WHY: see above
  wallMs: () => Date.now(), // WHY: see above
  after(delayMs, run) {
    const timer = window.setTimeout(run, delayMs);
    return { clear: () => window.clearTimeout(timer) };
  },
  every(periodMs, run) {
    const timer = window.setInterval(run, periodMs);
    return { clear: () => window.clearInterval(timer) };
  },
};

const TOKEN = 'spillway-token';
const THEME = 'spillway-theme';

export type Theme = 'auto' | 'light' | 'dark';

/** Kept for this tab alone, and gone when it is closed. */
export const storedToken = stored(() => sessionStorage, TOKEN);

const storedThemeText = stored(() => localStorage, THEME);

/** `auto` is what the system says. */
export const storedTheme = {
  get: (): Theme => {
    const given = storedThemeText.get();
    return given === 'light' || given === 'dark' ? given : 'auto';
  },
  set: (theme: Theme): void => {
    storedThemeText.set(theme);
    if (theme === 'auto') delete document.documentElement.dataset['theme'];
    else document.documentElement.dataset['theme'] = theme;
  },
};

/** Whether somebody can see this tab. */
export const tab = {
  get isHidden(): boolean {
    return document.hidden;
  },
  /** Returns what ends it. */
  onChange(run: () => void): () => void {
    document.addEventListener('visibilitychange', run);
    return () => document.removeEventListener('visibilitychange', run);
  },
};

/** A phone: the width at which the style sheet changes too. */
export function isNarrow(): boolean {
  return matchMedia('(max-width: 720px)').matches;
}

/** A browser may be told to keep nothing for a site, and then throws at each use: what is set there lives as long as the page. */
function stored(storage: () => Storage, key: string) {
  let held: string | null = null;
  return {
    get: (): string | null => {
      try {
        return storage().getItem(key);
      } catch {
        return held;
      }
    },
    set: (value: string | null): void => {
      held = value;
      try {
        if (value === null) storage().removeItem(key);
        else storage().setItem(key, value);
      } catch {
        // Held all the same.
      }
    },
  };
}
