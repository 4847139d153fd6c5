/** The secrets that affinity cookies are made with. */
import type { MistakeList, Path } from '../../reading/mistakes.ts';
import type { RuleContext } from './rule-context.ts';
import { checkSecrecy, type FileSet } from './pem.ts';
import { readSecret } from './secret.ts';
import type { Service } from './service-schema.ts';

export function checkAffinity({ affinity }: Service, path: Path, list: MistakeList, context: RuleContext): void {
  if (affinity === undefined) return;
  const { files, environment } = context;
  const place: Path = [...path, 'affinity', 'secret'];
  const read = readSecret(affinity.secret, files, environment);
  if (!read.ok) list.error(place, { message: read.message, expected: read.expected });
  else if (affinity.secret.from === 'file') {
    checkSecrecy(files, affinity.secret.path, (_, finding) => list.warning(place, finding));
  }
  if (affinity.sameSite === 'none' && affinity.secure === 'never') {
    const message = 'browsers refuse a cookie with SameSite=None that is not Secure';
    list.error([...path, 'affinity', 'secure'], { message, expected: 'auto or always' });
  }
}

/** Of valid services, by name. */
export function affinitySecrets(
  services: readonly Service[],
  files: FileSet,
  environment: NodeJS.ProcessEnv,
): Readonly<Record<string, string>> {
  const secrets = services.flatMap(({ name, affinity }): [string, string][] => {
    if (affinity === undefined) return [];
    const read = readSecret(affinity.secret, files, environment);
    return read.ok ? [[name, read.text]] : [];
  });
  return Object.fromEntries(secrets);
}
