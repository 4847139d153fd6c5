/** Asks for the token that the gateway's config names. Kept for this tab alone. */
import { h } from 'preact';
import { tokenWanted } from '../api.ts';
import { storedToken } from '../browser.ts';
import type { View } from '../view.ts';

export function LoginForm(): View {
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    const field = (event.currentTarget as HTMLFormElement).elements.namedItem('token') as HTMLInputElement;
    storedToken.set(field.value.trim());
    tokenWanted.value = null;
  };
  return h('main', { class: 'login' }, [
    h('h1', {}, 'Spillway'),
    h('form', { onSubmit: submit }, [
      h('label', { for: 'token' }, 'Token of the admin API'),
      h('input', {
        ...{ id: 'token', name: 'token', type: 'password', required: true, autofocus: true },
        ...{ autocomplete: 'current-password', spellcheck: false },
      }),
      h(
        'p',
        { class: 'dim' },
        'One of admin.token or admin.readToken in the config. It stays in this tab until it is closed.',
      ),
      tokenWanted.value === '' ? null : h('p', { class: 'fault', role: 'alert' }, tokenWanted.value),
      h('button', { type: 'submit' }, 'Look'),
    ]),
  ]);
}
