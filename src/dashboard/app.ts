/** The shell: navigation, how the link to the gateway is, the screen, and what lies over it (help, confirmations, the login). */
import { h } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { role, tokenWanted } from './api.ts';
import { clockText, durationText } from './charts/format.ts';
import { ConfirmDialog } from './components/confirm.ts';
import { HelpSheet } from './components/help-sheet.ts';
import { LoginForm } from './components/login-form.ts';
import { link, live } from './feed.ts';
import { helpShown } from './keys.ts';
import { hashOf, place } from './router.ts';
import { screens } from './screens.ts';
import { staleReason } from './stale.ts';
import { changeTheme, theme } from './theme.ts';
import type { View } from './view.ts';

export function App(): View {
  if (tokenWanted.value !== null) return h(LoginForm, {});
  const { screen: wanted } = place.value;
  const screen = screens.find(({ id }) => id === wanted);
  return h('div', { class: 'app' }, [
    h('a', { class: 'skip', href: '#main', onClick: toMain }, 'To the numbers'),
    h(Header, {}),
    h(LinkBanner, {}),
    h('main', { id: 'main', tabIndex: -1 }, [
      h(ScreenTitle, { title: screen?.title ?? 'Nothing here' }),
      screen === undefined
        ? h('p', {}, ['There is no such screen. ', h('a', { href: hashOf('') }, 'To the overview')])
        : live.value === null
          ? h('p', { class: 'dim' }, 'Waiting for the gateway…')
          : h(screen.view, { key: screen.id }),
    ]),
    h(ConfirmDialog, {}),
    helpShown.value ? h(HelpSheet, {}) : null,
  ]);
}

function toMain(event: Event): void {
  event.preventDefault();
  document.getElementById('main')?.focus();
}

/** Read out when the screen changes, and the title of the tab. */
function ScreenTitle({ title }: { readonly title: string }): View {
  const first = useRef(true);
  // Before the page is painted: what is focused on the new screen by then keeps the focus.
  useLayoutEffect(() => {
    document.title = `${title} · Spillway`;
    if (!first.current) document.getElementById('main')?.focus({ preventScroll: true });
    first.current = false;
  }, [title]);
  return h('h1', { class: 'unseen' }, title);
}

function Header(): View {
  const current = place.value.screen;
  const nav = useRef<HTMLElement>(null);
  // On a phone not all of them are to be seen at once.
  useLayoutEffect(
    () => nav.current!.querySelector('[aria-current]')?.scrollIntoView({ inline: 'center', block: 'nearest' }),
    [current],
  );
  return h('header', { class: 'top' }, [
    h('span', { class: 'brand' }, 'Spillway'),
    h(
      'nav',
      { ref: nav, 'aria-label': 'Screens' },
      screens.map(({ id, title }) =>
        h('a', { key: id, href: hashOf(id), 'aria-current': id === current ? 'page' : undefined }, title),
      ),
    ),
    h(LinkState, {}),
    role.value === 'read'
      ? h(
          'button',
          { class: 'quiet', onClick: () => (tokenWanted.value = ''), title: 'Show a token that may change something' },
          'Unlock',
        )
      : null,
    h('button', { class: 'quiet', onClick: changeTheme, title: 'Light, dark, or as the system (t)' }, theme.value),
    h('button', { class: 'quiet', onClick: () => (helpShown.value = true), 'aria-label': 'Keys (?)' }, '?'),
  ]);
}

function LinkState(): View {
  const { state } = link.value;
  const gateway = live.value?.gateway;
  const upMs = live.value === null ? 0 : live.value.atMs - Date.parse(live.value.gateway.startedAt);
  const facts = gateway === undefined ? '' : `config ${gateway.configVersion} · up ${durationText(upMs)}`;
  return h('span', { class: `link ${state}` }, [
    h('i', { 'aria-hidden': 'true' }),
    // Not with what is beside it, which is new each second.
    h('b', { role: 'status' }, state),
    h('span', { class: 'facts' }, facts),
  ]);
}

/** What is shown is old as soon as the gateway tells nothing, and that is said in words. */
function LinkBanner(): View | null {
  if (link.value.state !== 'lost')
    return staleReason.value === null ? null : h(StaleBanner, { why: staleReason.value });
  const { why, sinceMs } = link.value;
  return h('div', { class: 'banner fault', role: 'alert' }, [
    h('b', {}, 'No live numbers. '),
    `${why} What is shown is from ${clockText(sinceMs)}; trying again.`,
  ]);
}

/** The feed tells its seconds, but something that is asked for beside it did not come. */
function StaleBanner({ why }: { readonly why: string }): View {
  return h('div', { class: 'banner fault', role: 'alert' }, [
    h('b', {}, 'Not all of this is new. '),
    `${why} Trying again.`,
  ]);
}
