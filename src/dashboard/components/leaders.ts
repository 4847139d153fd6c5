/** Who leads what and which locks are held, as services that push their metrics here tell it. */
import { h } from 'preact';
import type { View } from '../view.ts';

export function Leaders(): View {
  return h('section', { class: 'panel' }, [h('header', {}, h('h2', {}, 'Locks and leaders'))]);
}
