/** Rules about `discovery` of one service, and what stands in the file it names. */
import type { Discovery } from './discovery-schema.ts';
import { readEndpointFile } from './endpoint-list.ts';
import type { Surroundings } from './endpoint-rules.ts';
import { formatPath, type MistakeList, type Path } from './mistakes.ts';
import type { RuleContext } from './parts.ts';
import type { Service } from './service-schema.ts';

interface Place {
  /** Of the service. */
  readonly path: Path;
  readonly list: MistakeList;
  readonly context: RuleContext;
  readonly around: Surroundings;
}

const sources = ['file', 'api'] as const;

export function checkDiscovery(service: Service, discovery: Discovery, given: Place): void {
  const { list } = given;
  const path: Path = [...given.path, 'discovery'];
  const used = sources.filter((source) => discovery[source] !== undefined);
  const [first, second] = used;
  if (first === undefined) {
    list.error(path, { message: `${formatPath(path)} says nothing of where to look`, expected: 'file or api' });
  } else if (second !== undefined) {
    const message = `${formatPath(path)} has ${used.join(' and ')}, and only one can have the say`;
    list.error([...path, second], { message, expected: 'one of file and api' }, 'key');
  } else if (discovery.file !== undefined) checkFile(service, discovery.file, { ...given, path });
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
