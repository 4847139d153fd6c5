/** A dialog over the page: the browser's own, so that focus stays in it, Esc closes it and what is behind is out of reach. */
import { type ComponentChildren, h } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import type { View } from '../view.ts';

export interface DialogProps {
  readonly title: string;
  readonly onClose: () => void;
  readonly children?: ComponentChildren;
}

export function Dialog({ title, onClose, children }: DialogProps): View {
  const dialog = useRef<HTMLDialogElement>(null);
  // Before the page is painted, both times: a key that is pressed at once goes where it is meant to.
  useLayoutEffect(() => {
    const before = document.activeElement;
    const shown = dialog.current!;
    shown.showModal();
    return () => {
      // As long as it is open, what is behind it takes no focus.
      shown.close();
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  // The event of a dialog that has gone comes late, and may meet the next.
  const close = (): void => void (dialog.current !== null && onClose());
  return h('dialog', { ref: dialog, 'aria-labelledby': 'dialog-title', onCancel: close, onClose: close }, [
    h('h2', { id: 'dialog-title' }, title),
    children,
  ]);
}
