/** Rules about `discovery` of one service, and what stands in the file it names. */
import { formatDuration } from '../../kernel/units.ts';
import type { Discovery, DnsDiscovery } from './discovery-schema.ts';
import { readEndpointFile } from './endpoint-list.ts';
import type { Surroundings } from './endpoint-rules.ts';
import { formatPath, type MistakeList, type Path } from '../../reading/mistakes.ts';
import type { RuleContext } from './rule-context.ts';
import type { Service } from './service-schema.ts';

interface Place {
  /** Of the service. */
  readonly path: Path;
  readonly list: MistakeList;
  readonly context: RuleContext;
  readonly around: Surroundings;
}

const sources = ['dns', 'file', 'api'] as const;

export function checkDiscovery(service: Service, discovery: Discovery, given: Place): void {
  const { list } = given;
  const path: Path = [...given.path, 'discovery'];
  const used = sources.filter((source) => discovery[source] !== undefined);
  const [first, second] = used;
  if (first === undefined) {
    list.error(path, { message: `${formatPath(path)} says nothing of where to look`, expected: 'dns, file or api' });
  } else if (second !== undefined) {
    const message = `${formatPath(path)} has ${used.join(' and ')}, and only one can have the say`;
    list.error([...path, second], { message, expected: 'one of dns, file and api' }, 'key');
  } else if (discovery.dns !== undefined) checkDns(discovery.dns, [...path, 'dns'], list);
  else if (discovery.file !== undefined) checkFile(service, discovery.file, { ...given, path });
}

function checkDns({ name, port, srv, refresh }: DnsDiscovery, path: Path, list: MistakeList): void {
  if (name === undefined && srv === undefined) {
    list.error(path, { message: `${formatPath(path)} names nothing`, expected: 'name and port, or srv' });
  } else if (srv !== undefined) {
    for (const [key, value] of Object.entries({ name, port })) {
      if (value === undefined) continue;
      const message = `${key} means nothing beside srv, whose records have hosts and ports`;
      list.error([...path, key], { message, expected: 'name and port, or srv' }, 'key');
    }
  } else if (port === undefined) {
    const message = `${formatPath(path)} has a name and no port, which addresses do not say`;
    list.error([...path, 'name'], { message, expected: 'port, or srv in place of name' });
  }
  if (refresh.min <= refresh.max) return;
  const expected = `min (${formatDuration(refresh.min)}) at most max (${formatDuration(refresh.max)})`;
  list.error([...path, 'refresh', 'min'], { message: 'the bounds of refresh are the wrong way round', expected });
}

/** What is wrong in the file is a mistake there: the same as at run time, where it would only be told. */
function checkFile(service: Service, file: string, { path, list, context, around }: Place): void {
  const name = context.files.pathOf(file);
  const read = readEndpointFile(name, { service: service.name, around });
  if (typeof read !== 'string') list.addFrom(read.mistakes);
  else {
    // It may be written by somebody who starts later.
    const message = `the file ${name} ${read}: until that changes, service "${service.name}" learns no endpoints from it`;
    list.warning([...path, 'file'], { message, expected: 'a YAML or JSON file with a list as in endpoints' });
  }
}
