/** Documents of an OpenSLO file that its objectives refer to, by kind and name, each with its place. Of two with one name it is not clear which is meant. */
import type { z } from 'zod';
import { type MistakeList, type Path, show } from '../../reading/mistakes.ts';
import type { AlertDocuments } from './openslo-alerts.ts';
import type { AlertPolicySpec, documentSchemas, IndicatorSpec } from './openslo-schema.ts';

type Part = Exclude<z.output<(typeof documentSchemas)[keyof typeof documentSchemas]>, { readonly kind: 'SLO' }>;

export class OpenSloParts implements AlertDocuments {
  readonly indicators = new Map<string, { readonly spec: IndicatorSpec; readonly path: Path }>();
  /** The type of each data source. */
  readonly sources = new Map<string, string>();
  readonly policies = new Map<string, { readonly spec: AlertPolicySpec; readonly path: Path }>();
  readonly conditions = new Map<string, string>();
  readonly targets = new Set<string>();

  readonly #known = new Map<string, Path>();

  /** `at` leads to it. */
  add(part: Part, at: Path, list: MistakeList): void {
    const { name } = part.metadata;
    const path: Path = [...at, 'spec'];
    const namedAt: Path = [...at, 'metadata', 'name'];
    const before = this.#known.get(`${part.kind} ${name}`);
    if (before !== undefined) {
      const message = `two documents of kind ${part.kind} have the same name; the other is in line ${list.lineOf(before)}`;
      list.error(namedAt, { message, found: show(name), expected: 'a name of its own' });
    }
    this.#known.set(`${part.kind} ${name}`, namedAt);
    switch (part.kind) {
      case 'SLI':
        this.indicators.set(name, { spec: part.spec, path });
        break;
      case 'DataSource':
        this.sources.set(name, part.spec.type);
        break;
      case 'AlertPolicy':
        this.policies.set(name, { spec: part.spec, path });
        break;
      case 'AlertCondition':
        this.conditions.set(name, part.spec.severity);
        break;
      case 'AlertNotificationTarget':
        this.targets.add(name);
        break;
      case 'Service':
        break;
      default:
        part satisfies never;
    }
  }
}
