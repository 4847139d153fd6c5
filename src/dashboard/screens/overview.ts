/** The overview: what is wrong now, in words. */
import { h } from 'preact';
import { Problems } from '../components/problems.ts';
import type { View } from '../view.ts';

export function Overview(): View {
  return h('div', { class: 'screen' }, h(Problems, {}));
}
