/** Light, dark, or as the system says: what is chosen, for whatever draws with colours of its own. */
import { signal } from '@preact/signals';
import { storedTheme, type Theme } from './browser.ts';

export const theme = signal<Theme>(storedTheme.get());

const nextTheme: Readonly<Record<Theme, Theme>> = { auto: 'light', light: 'dark', dark: 'auto' };

export function changeTheme(): void {
  theme.value = nextTheme[theme.value];
  storedTheme.set(theme.value);
}
