/** The screens, in the order of the navigation. */
import type { ComponentType } from 'preact';
import { Balancer } from './screens/balancer.ts';
import { ConfigScreen } from './screens/config.ts';
import { Limits } from './screens/limits.ts';
import { Overview } from './screens/overview.ts';

export interface Screen {
  /** As in the address: `#/balancer`; empty is the overview. */
  readonly id: string;
  readonly title: string;
  /** Pressed after `g`. */
  readonly key: string;
  readonly view: ComponentType;
}

export const screens: readonly Screen[] = [
  { id: '', title: 'Overview', key: 'o', view: Overview },
  { id: 'balancer', title: 'Balancer', key: 'b', view: Balancer },
  { id: 'limits', title: 'Limits & leaders', key: 'l', view: Limits },
  { id: 'config', title: 'Config', key: 'c', view: ConfigScreen },
];
