/** In place of budgets that would look whole: why nothing is known of them yet. */
import { h } from 'preact';
import type { SloAnswer } from '../../gateway/admin/slo-api.ts';
import type { View } from '../view.ts';

const words = {
  reading: 'The gateway is reading what it has kept of its objectives; what is left of them is known then.',
  starting: 'These objectives have just come into force; they are evaluated with the next second.',
};

export function SloNotYet({ waiting }: { readonly waiting: NonNullable<SloAnswer['waiting']> }): View {
  return h('p', { class: 'dim', role: 'status' }, words[waiting]);
}
