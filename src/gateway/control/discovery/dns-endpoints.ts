/**
 * From DNS records to endpoints, and to the questions that are still open. Pure.
 *
 * An SRV record (RFC 2782) has a priority, of which the lowest is asked first: ranks 0, 1, … here. Its weight may be up to 65,535 and 0
 * means "hardly any", which here would be "none": weights are brought into our range, and 0 becomes the least there is.
 * Endpoints are in one order whatever order a server rotates its answers into, so that all gateways agree on them.
 */
import type { DnsQuestion, DnsRecord } from '../../../drivers/dns/message.ts';
import { joinAddress } from '../../config/address.ts';
import type { DnsDiscovery } from '../../config/discovery-schema.ts';
import { PRIORITY_MAX, WEIGHT_MAX } from '../../config/endpoint-schema.ts';
import type { FoundEndpoint } from '../../config/index.ts';

type SrvRecord = Extract<DnsRecord, { readonly type: 'SRV' }>;
/** The answer to a question that was asked; null if there is none yet. */
export type Answers = (question: DnsQuestion) => readonly DnsRecord[] | null;
type Asked = Pick<DnsDiscovery, 'name' | 'port' | 'srv' | 'family'>;

/** All that is to be asked, by what is known so far. At most `targetsMax` names out of SRV records. */
export function questionsOf(plan: Asked, answers: Answers, targetsMax: number): readonly DnsQuestion[] {
  const { name, srv, family } = plan;
  if (srv === undefined) return addressQuestions(withoutDot(name ?? ''), family);
  const targets = new Set(servicesIn(plan, answers).map(({ target }) => target));
  const asked = [...targets].slice(0, targetsMax).flatMap((target) => addressQuestions(target, family));
  return [serviceQuestion(srv), ...asked];
}

/** Sorted by priority, then by address. */
export function endpointsIn(plan: Asked, answers: Answers): readonly FoundEndpoint[] {
  const { name, port, srv, family } = plan;
  if (srv === undefined) {
    const identity = withoutDot(name ?? '');
    return inOrder(addressesOf(identity, family, answers).map((host) => endpoint(host, port ?? 0, { identity })));
  }
  const services = servicesIn(plan, answers);
  const ranks = [...new Set(services.map(({ priority }) => priority))].toSorted((one, other) => one - other);
  return inOrder(
    services.flatMap((service) => {
      const { target: identity, priority } = service;
      const peers = services.filter((each) => each.priority === priority);
      const weight = weightAmong(service.weight, Math.max(...new Set(peers.map((each) => each.weight))), peers);
      const rank = Math.min(PRIORITY_MAX, ranks.indexOf(priority));
      return addressesOf(identity, family, answers).map((host) =>
        endpoint(host, service.port, { identity, weight, priority: rank }),
      );
    }),
  );
}

function weightAmong(weight: number, largest: number, peers: readonly SrvRecord[]): number {
  if (largest === 0) return 1;
  const isSpread = largest > WEIGHT_MAX || peers.some((each) => each.weight === 0);
  return isSpread ? Math.max(1, Math.round((weight * WEIGHT_MAX) / largest)) : weight;
}

function servicesIn({ srv }: Asked, answers: Answers): readonly SrvRecord[] {
  const records = (srv === undefined ? null : answers(serviceQuestion(srv))) ?? [];
  // A target of “.” says that there is no such service here; port 0 is none.
  return records.filter(
    (record): record is SrvRecord => record.type === 'SRV' && record.target !== '' && record.port > 0,
  );
}

function serviceQuestion(srv: string): DnsQuestion {
  return { name: withoutDot(srv), type: 'SRV' };
}

function addressQuestions(name: string, family: DnsDiscovery['family']): DnsQuestion[] {
  return [
    ...(family === 'ipv6' ? [] : [{ name, type: 'A' as const }]),
    ...(family === 'ipv4' ? [] : [{ name, type: 'AAAA' as const }]),
  ];
}

function addressesOf(name: string, family: DnsDiscovery['family'], answers: Answers): string[] {
  return addressQuestions(name, family).flatMap((question) =>
    (answers(question) ?? []).flatMap((record) => ('address' in record ? [record.address] : [])),
  );
}

function endpoint(
  host: string,
  port: number,
  given: Pick<FoundEndpoint, 'identity'> & Partial<Pick<FoundEndpoint, 'weight' | 'priority'>>,
): FoundEndpoint {
  const address = { host, port, text: joinAddress(host, port) };
  return { address, weight: 1, priority: 0, backup: false, drain: false, source: 'dns', ...given };
}

function inOrder(endpoints: readonly FoundEndpoint[]): readonly FoundEndpoint[] {
  return endpoints.toSorted(
    (one, other) => one.priority - other.priority || (one.address.text < other.address.text ? -1 : 1),
  );
}

/** A name here is complete with its dot or without. */
function withoutDot(name: string): string {
  return name.replace(/\.$/, '').toLowerCase();
}
