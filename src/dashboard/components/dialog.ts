/** A dialog over the page: the browser's own, so that focus stays in it, Esc closes it and what is behind is out of reach. */
import { type ComponentChildren, h } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import type { View } from '../view.ts';

export interface DialogProps {
  readonly title: string;
  readonly onClose: () => void;
  readonly children?: ComponentChildren;
}

export function Dialog({ title, onClose, children }: DialogProps): View {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const before = document.activeElement;
    dialog.current?.showModal();
    return () => {
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  return h('dialog', { ref: dialog, 'aria-labelledby': 'dialog-title', onCancel: onClose, onClose }, [
    h('h2', { id: 'dialog-title' }, title),
    children,
  ]);
}
