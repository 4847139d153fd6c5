/** The objectives that a config names: files of their own, read and checked with it, so that a mistake in one refuses the config. */
import { extname } from 'node:path';
import type { MistakeList, Path } from '../../reading/mistakes.ts';
import { show } from '../../reading/mistakes.ts';
import { KEPT_DAYS } from '../../observe/series/resolutions.ts';
import { parseSlos } from '../../observe/slo/load.ts';
import { formatWindow, gatewayIndicatorOf, type Slo, sloId } from '../../observe/slo/objective.ts';
import type { Parts } from './parts.ts';
import type { RuleContext } from './rule-context.ts';
import type { FileSet } from './pem.ts';

const DAY_MS = 86_400_000;
/** Of all files. */
const OBJECTIVES_MAX = 1000;

export function checkObjectives(parts: Parts, list: MistakeList, { files }: RuleContext): void {
  const first = new Map<string, string>();
  for (const [index, file] of parts.slos.entries()) {
    const path = ['slos', index];
    if (!/^\.(ya?ml|json)$/.test(extname(file))) {
      const message = 'the gateway reads objectives from YAML or JSON';
      list.error(path, { message, found: show(file), expected: 'a file such as ./shop.slo.yaml' });
      continue;
    }
    const name = files.pathOf(file);
    const read = files.read(file);
    if (!read.ok) {
      list.error(path, { message: `the file ${name} ${read.reason}`, expected: 'a file with objectives' });
      continue;
    }
    const { slos, mistakes } = parseSlos(read.text, name);
    list.addFrom(mistakes);
    for (const slo of slos?.slos ?? []) {
      const id = sloId(slo);
      const before = first.get(id);
      if (before !== undefined) {
        const message = `two objectives are ${id}; the other is in ${before}`;
        list.error(path, { message, expected: 'a service and a name that no other has' });
      }
      first.set(id, file);
      checkCounted(slo, { path, list, parts });
      checkWindow(slo, path, list);
    }
  }
  if (first.size <= OBJECTIVES_MAX) return;
  const message = 'the files together have more objectives than are evaluated each second';
  list.error(['slos'], { message, found: `${first.size} objectives`, expected: `at most ${OBJECTIVES_MAX}` });
}

/** What only Prometheus evaluates is warned of already. */
function checkWindow(slo: Slo, path: Path, list: MistakeList): void {
  const days = slo.windowMs / DAY_MS;
  if (gatewayIndicatorOf(slo) === null || days <= KEPT_DAYS) return;
  const message = `the objective ${sloId(slo)} is over ${formatWindow(slo)}, of which the gateway knows the last ${KEPT_DAYS}d: failures before that are not in its budget`;
  list.warning(path, { message, expected: `a window of at most ${KEPT_DAYS}d, or this one by Prometheus` });
}

/** Whether there is anything in this gateway that it counts. */
function checkCounted(
  slo: Slo,
  { path, list, parts }: { readonly path: Path; readonly list: MistakeList; readonly parts: Parts },
): void {
  const gateway = gatewayIndicatorOf(slo);
  if (gateway === null) {
    const message = `the objective ${sloId(slo)} is measured by queries, which only Prometheus can evaluate; the gateway leaves it out`;
    list.warning(path, { message, expected: 'an indicator of the gateway: availability or latency' });
    return;
  }
  const { service, route } = gateway.requests;
  const missing = !parts.services.some(({ name }) => name === service)
    ? `service ${show(service)}`
    : route !== null && !parts.routes.some(({ name }) => name === route)
      ? `route ${show(route)}`
      : null;
  if (missing === null) return;
  const message = `the objective ${sloId(slo)} counts answers of a ${missing}, which this config does not have`;
  list.warning(path, { message, expected: 'a name that is in services and routes' });
}

/** Of files that have no mistakes, in their order. */
export function objectivesOf(names: readonly string[], files: FileSet): readonly Slo[] {
  return names.flatMap((file) => {
    const read = files.read(file);
    return read.ok ? (parseSlos(read.text, files.pathOf(file)).slos?.slos ?? []) : [];
  });
}
