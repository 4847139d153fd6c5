/** The moment that is pointed at, on all charts of the screen at once: wall ms; null: none, and charts show the newest. */
import { signal } from '@preact/signals';

export const crosshair = signal<number | null>(null);
