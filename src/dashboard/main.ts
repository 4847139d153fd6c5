/** The page begins: theme, address, keys, the live feed, and the shell around the screens. */
import { h, render } from 'preact';
import { App } from './app.ts';
import { pageClock, storedTheme } from './browser.ts';
import { followChanges } from './changes.ts';
import { followLive } from './feed.ts';
import { followKeys } from './keys.ts';
import { followPast } from './past.ts';
import { followAddress } from './router.ts';

storedTheme.set(storedTheme.get());
followAddress();
followKeys();
followLive(pageClock);
followChanges();
followPast();
render(h(App, {}), document.getElementById('app')!);
