/**
 * Whatever changes something asks once more: what will happen is said, and the second step is a button that names it. One question at a
 * time; the answer, or why it was refused, stands in the same place.
 */
import { signal } from '@preact/signals';
import { h } from 'preact';
import { ApiError } from '../api.ts';
import { Dialog } from './dialog.ts';
import type { View } from '../view.ts';

export interface Question {
  /** `Drain 10.0.0.7:8080?` */
  readonly title: string;
  /** What will happen, a sentence each. */
  readonly says: readonly string[];
  /** The word on the button: `Drain`. */
  readonly verb: string;
  /** Resolves to what came of it. */
  readonly run: () => Promise<string>;
}

type Asked =
  | { readonly step: 'ask' | 'running'; readonly question: Question }
  | { readonly step: 'done' | 'failed'; readonly question: Question; readonly text: string };

const asked = signal<Asked | null>(null);

export function ask(question: Question): void {
  asked.value = { step: 'ask', question };
}

export function ConfirmDialog(): View | null {
  const now = asked.value;
  if (now === null) return null;
  const { question, step } = now;
  const close = (): void => void (asked.value = null);
  const says = 'text' in now ? now.text.split('\n') : question.says;
  const isOpen = !('text' in now);
  return h(Dialog, { title: question.title, onClose: close }, [
    h(
      'div',
      { class: step === 'failed' ? 'fault' : '', role: isOpen ? undefined : 'status' },
      says.map((line) => h('p', {}, line)),
    ),
    h('div', { class: 'actions' }, [
      h('button', { onClick: close, autofocus: true }, isOpen ? 'Leave it' : 'Close'),
      isOpen
        ? h(
            'button',
            { class: 'danger', disabled: step === 'running', onClick: () => void run(question) },
            question.verb,
          )
        : null,
    ]),
  ]);
}

async function run(question: Question): Promise<void> {
  asked.value = { step: 'running', question };
  let after: Asked;
  try {
    after = { step: 'done', question, text: await question.run() };
  } catch (error) {
    const text = error instanceof ApiError ? error.message : 'The page failed; look again whether it was done.';
    after = { step: 'failed', question, text };
  }
  // It may have been closed meanwhile.
  if (asked.value?.question === question) asked.value = after;
}
