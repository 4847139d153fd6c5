/**
 * What the page takes from the browser: time, storage, the address. The one file of the dashboard that touches these, so that all else
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
export const storedToken = {
  get: (): string | null => sessionStorage.getItem(TOKEN),
  set: (token: string | null): void => {
    if (token === null) sessionStorage.removeItem(TOKEN);
    else sessionStorage.setItem(TOKEN, token);
  },
};

/** `auto` is what the system says. */
export const storedTheme = {
  get: (): Theme => {
    const given = localStorage.getItem(THEME);
    return given === 'light' || given === 'dark' ? given : 'auto';
  },
  set: (theme: Theme): void => {
    localStorage.setItem(THEME, theme);
    if (theme === 'auto') delete document.documentElement.dataset['theme'];
    else document.documentElement.dataset['theme'] = theme;
  },
};
