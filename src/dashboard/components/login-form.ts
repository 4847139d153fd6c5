/** Asks for a token, of the config or made by the gateway. Kept for this tab alone. */
import { h } from 'preact';
import { giveToken, tokenWanted } from '../api.ts';
import { link, live } from '../feed.ts';
import type { View } from '../view.ts';

export function LoginForm(): View {
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    const field = (event.currentTarget as HTMLFormElement).elements.namedItem('token') as HTMLInputElement;
    giveToken(field.value.trim());
  };
  const mayLook = link.value.state === 'live';
  return h('main', { class: 'login' }, [
    h('h1', {}, 'Spillway'),
    h('form', { onSubmit: submit }, [
      h('label', { for: 'token' }, 'Token of the admin API'),
      h('input', {
        ...{ id: 'token', name: 'token', type: 'password', required: true, autofocus: true },
        ...{ autocomplete: 'current-password', spellcheck: false },
      }),
      h('p', { class: 'dim' }, `${whereText()} It stays in this tab until it is closed.`),
      tokenWanted.value === '' ? null : h('p', { class: 'fault', role: 'alert' }, tokenWanted.value),
      h('button', { type: 'submit' }, mayLook ? 'Unlock' : 'Look'),
      // Whoever is told all the same needs none to look.
      mayLook
        ? h('button', { type: 'button', class: 'quiet', onClick: () => (tokenWanted.value = null) }, 'Only look')
        : null,
    ]),
  ]);
}

/** Where whoever may have a token finds it. */
function whereText(): string {
  const made = live.value?.gateway.admin?.madeToken ?? null;
  if (made === null) return 'One of admin.token or admin.readToken in the config.';
  return made.file === null
    ? 'The one in the link that “spillway up” printed on its terminal.'
    : `The one in ${made.file} on the machine of the gateway.`;
}
