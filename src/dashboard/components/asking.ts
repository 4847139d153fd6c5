/** In place of what was asked for and has not come: that it is under way, or why it did not. */
import { h } from 'preact';
import type { ApiError } from '../api.ts';
import type { View } from '../view.ts';

export function Asking({ problem }: { readonly problem: ApiError | null }): View {
  const text = problem?.message ?? 'Asking the gateway…';
  return h('p', { class: problem === null ? 'dim' : 'problems fault', role: 'status' }, text);
}
