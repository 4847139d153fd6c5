/**
 * From objectives to files: recording rules and alerts, tests for them, routes, dashboards. Pure and deterministic: the same
 * objectives give the same bytes. Each file opens with what made it; JSON, which has no comments, says so in its description.
 */
import { stringify } from 'yaml';
import { alertmanagerConfig } from './alertmanager.ts';
import { overviewDashboard, serviceDashboard } from './dashboard.ts';
import { type SloFile, sloId } from './objective.ts';
import { labelNames, type LabelStyle } from './rule-labels.ts';
import { ruleGroup } from './rules.ts';
import { unitTests } from './unit-tests.ts';

export interface CompileSloOptions {
  /** The labels by which rules know an objective: ours, or Sloth's. @defaultValue `spillway` */
  readonly labels?: LabelStyle;
}

export interface CompiledFile {
  /** Without a folder. */
  readonly name: string;
  readonly text: string;
}

/** In every file that is made: by this a file that somebody wrote is told from one of ours. */
export const madeBy = 'Made by spillway slo compile';

/** What `spillway slo compile` writes. The files of Alertmanager and of the overview are the same for every service. */
export function compileSlos(slos: SloFile, options: CompileSloOptions = {}): readonly CompiledFile[] {
  const names = labelNames[options.labels ?? 'spillway'];
  const { service } = slos;
  const from = slos.file.split(/[/\\]/).at(-1) ?? slos.file;
  return [
    // A file for each, because a test evaluates all rules of the file that it names.
    ...slos.slos.flatMap((slo) => {
      const rules = `${sloId(slo)}.rules.yaml`;
      return [
        yamlFile(rules, { groups: [ruleGroup(slo, names)] }, `from ${from}`),
        yamlFile(`${sloId(slo)}.test.yaml`, unitTests(slo, rules, names), `from ${from}`),
      ];
    }),
    jsonFile(`${service}.dashboard.json`, serviceDashboard(slos, names, `${madeBy} from ${from}.`)),
    jsonFile('slo-overview.dashboard.json', overviewDashboard(names, `${madeBy}.`)),
    yamlFile('alertmanager.yaml', alertmanagerConfig(names), 'for all services: put your receivers in a copy'),
  ];
}

function yamlFile(name: string, content: object, about: string): CompiledFile {
  const header = `# ${madeBy} ${about}. What is changed here is lost when it is made again.\n`;
  return { name, text: header + stringify(content, { lineWidth: 0, aliasDuplicateObjects: false }) };
}

function jsonFile(name: string, content: object): CompiledFile {
  return { name, text: `${JSON.stringify(content, null, 2)}\n` };
}
