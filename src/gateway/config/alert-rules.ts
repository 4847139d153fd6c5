/** Rules about `alerts`: each receiver has one address, that can be read and may be asked. */
import type { MistakeList, Path } from '../../reading/mistakes.ts';
import { show } from '../../reading/mistakes.ts';
import type { AlertReceiver } from '../alerts/alerting.ts';
import { isLinkLocal } from '../link-local.ts';
import { alertAddress, type AlertReceivers } from './alert-schema.ts';
import type { Parts } from './parts.ts';
import type { RuleContext } from './rule-context.ts';
import { checkSecrecy } from './pem.ts';
import { type PointedPlaces, readPointed, type Secret } from './secret.ts';

const kinds = ['webhook', 'slack', 'alertmanager'] as const;
const WHAT = { what: 'address', ...alertAddress };

export function checkAlerts({ alerts, slos }: Parts, list: MistakeList, context: RuleContext): void {
  const first = new Map<string, number>();
  for (const [index, receiver] of alerts.entries()) {
    const path: Path = ['alerts', index];
    const before = first.get(receiver.name);
    if (before === undefined) first.set(receiver.name, index);
    else {
      const message = `alerts[${index}] has the same name as alerts[${before}]`;
      list.error([...path, 'name'], { message, found: show(receiver.name), expected: 'a name of its own' });
    }
    const given = kinds.filter((kind) => receiver[kind] !== undefined);
    const [kind] = given;
    if (kind === undefined || given.length > 1) {
      const found = given.join(' and ') || 'nothing';
      list.error(path, {
        message: 'how it is told is not clear',
        found,
        expected: `exactly one of ${kinds.join(', ')}`,
      });
    } else checkAddress(receiver[kind], [...path, kind], list, context);
  }
  if (alerts.length > 0 && slos.length === 0) {
    list.warning(['alerts'], {
      message: 'there are no objectives, so nobody is ever told',
      expected: 'files under slos',
    });
  }
}

function checkAddress(given: Secret | undefined, path: Path, list: MistakeList, context: RuleContext): void {
  if (given === undefined) return;
  const read = readPointed(given, context, WHAT);
  if (!read.ok) {
    list.error(path, { message: read.message, expected: read.expected });
    return;
  }
  if (given.from === 'file') checkSecrecy(context.files, given.path, (_, finding) => list.warning(path, finding));
  if (!isLinkLocal(new URL(read.text).hostname.replace(/^\[|\]$/g, ''))) return;
  const message = 'the address is link-local, or one at which a cloud hands out credentials; nothing is sent there';
  list.error(path, { message, expected: 'another address' });
}

/** Of a valid config: with what the addresses are. */
export function alertReceivers(receivers: AlertReceivers, places: PointedPlaces): readonly AlertReceiver[] {
  return receivers.flatMap((receiver): AlertReceiver[] => {
    const kind = kinds.find((each) => receiver[each] !== undefined);
    const given = kind === undefined ? undefined : receiver[kind];
    if (kind === undefined || given === undefined) return [];
    const read = readPointed(given, places, WHAT);
    return read.ok ? [{ name: receiver.name, kind, url: read.text, on: receiver.on }] : [];
  });
}
