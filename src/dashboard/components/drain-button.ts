/** Takes an endpoint out of the balancer, or brings it back: asked once more, with the token, in the audit log of the gateway. */
import { h } from 'preact';
import type { EndpointRow } from '../../gateway/admin/live-model.ts';
import { postJson, whyReadOnly } from '../api.ts';
import type { View } from '../view.ts';
import { ask } from './confirm.ts';

/** As `spillway drain` without a time. */
const WITHIN = '30s';

export function DrainButton({ row }: { readonly row: EndpointRow }): View {
  const { address, drain, drainedBy, service } = row;
  const isDraining = drain !== null;
  const why =
    whyReadOnly() ??
    (isDraining && drainedBy === 'config' ? 'The config drains it: only the config brings it back.' : undefined);
  return h(
    'button',
    {
      ...{ type: 'button', class: 'row', disabled: why !== undefined, title: why },
      'aria-label': `${isDraining ? 'Undrain' : 'Drain'} ${address} of ${service}`,
      onClick: () => (isDraining ? askUndrain(row) : askDrain(row)),
    },
    isDraining ? 'Undrain' : 'Drain',
  );
}

function askDrain({ address, inFlight, service, tunnels }: EndpointRow): void {
  ask({
    title: `Drain ${address} of ${service}?`,
    says: [
      `It gets no new requests. It has ${inFlight} in flight now, ${tunnels} of them tunnels.`,
      `What is left after ${WITHIN} is cut. The config stays as it is, and Undrain brings it back.`,
    ],
    verb: 'Drain',
    run: async () => {
      await postJson('/api/drain', { endpoint: address, service, within: WITHIN });
      return `${address} drains. The audit log has a line of it.`;
    },
  });
}

function askUndrain({ address, service }: EndpointRow): void {
  ask({
    title: `Bring ${address} of ${service} back?`,
    says: ['It gets requests again at once, by its weight and health.'],
    verb: 'Undrain',
    run: async () => {
      await postJson('/api/undrain', { endpoint: address, service });
      return `${address} serves again. The audit log has a line of it.`;
    },
  });
}
