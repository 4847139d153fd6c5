/** The list of keys, as a dialog that Esc closes. */
import { h } from 'preact';
import { helpShown, keyHelp } from '../keys.ts';
import { Dialog } from './dialog.ts';
import type { View } from '../view.ts';

export function HelpSheet(): View {
  const close = (): void => void (helpShown.value = false);
  return h(Dialog, { title: 'Keys', onClose: close }, [
    h(
      'dl',
      { class: 'keys' },
      keyHelp.flatMap(([keys, what]) => [
        h(
          'dt',
          {},
          keys.split(' ').map((key) => h('kbd', {}, key)),
        ),
        h('dd', {}, what),
      ]),
    ),
    h('div', { class: 'actions' }, h('button', { onClick: close, autofocus: true }, 'Close')),
  ]);
}
