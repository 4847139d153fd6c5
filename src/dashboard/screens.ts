/** The screens, in the order of the navigation. */
import type { ComponentType } from 'preact';
import { Balancer } from './screens/balancer.ts';
import { ConfigScreen } from './screens/config.ts';
import { Limits } from './screens/limits.ts';
import { Overview } from './screens/overview.ts';
import { Service } from './screens/service.ts';
import { SloScreen } from './screens/slo.ts';
import { Traces } from './screens/traces.ts';

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
  { id: 'service', title: 'Service', key: 's', view: Service },
  { id: 'balancer', title: 'Balancer', key: 'b', view: Balancer },
  { id: 'slo', title: 'Objectives', key: 'j', view: SloScreen },
  { id: 'traces', title: 'Traces & logs', key: 't', view: Traces },
  { id: 'limits', title: 'Limits & leaders', key: 'l', view: Limits },
  { id: 'config', title: 'Config', key: 'c', view: ConfigScreen },
];
