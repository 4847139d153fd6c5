/**
 * Command lines, on `parseArgs` of node:util in its lenient form, so that the messages are ours: what was found, what there
 * is, and the nearest name. Pure.
 */
import { parseArgs } from 'node:util';
import { nearest } from '../kernel/nearest.ts';
import { type Arguments, type CommandSpec, type OptionSpec, UsageError } from './command.ts';
import { wrap } from './wrap.ts';

const helpOption: OptionSpec = { type: 'boolean', short: 'h', summary: 'Show this help.' };

/** Reads what follows the command's name. Throws UsageError. */
export function parseArguments(spec: CommandSpec, args: readonly string[]): Arguments {
  const options = optionsOf(spec);
  const config = Object.fromEntries(
    Object.entries(options).map(([name, { type, short }]) => [
      name,
      { type, multiple: true, ...(short === undefined ? {} : { short }) },
    ]),
  );
  const { tokens } = parseArgs({
    args: [...args],
    options: config,
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const values = new Map<string, string[]>();
  const positionals: string[] = [];
  for (const token of tokens) {
    if (token.kind === 'positional') positionals.push(token.value);
    if (token.kind !== 'option') continue;
    const option = Object.hasOwn(options, token.name) ? options[token.name] : undefined;
    if (option === undefined) throw unknownOption(token.rawName, Object.keys(options));
    const held = values.get(token.name) ?? [];
    values.set(token.name, held);
    held.push(readValue(option, token.rawName, token.value));
    if (held.length > 1 && option.type === 'string' && option.multiple !== true) {
      throw new UsageError(`${token.rawName} is given twice`);
    }
  }
  if (positionals.length > spec.positionalsMax) {
    throw new UsageError(`${JSON.stringify(positionals[spec.positionalsMax])} is one argument too many`);
  }
  return {
    positionals,
    flag: (name) => values.has(name),
    text: (name) => values.get(name)?.[0] ?? null,
    texts: (name) => values.get(name) ?? [],
  };
}

/** Every command takes `--help`. */
function optionsOf(spec: CommandSpec): Readonly<Record<string, OptionSpec>> {
  return { ...spec.options, help: helpOption };
}

function readValue(option: OptionSpec, rawName: string, value: string | undefined): string {
  if (option.type === 'boolean') {
    if (value !== undefined) throw new UsageError(`${rawName} takes no value, and was given ${JSON.stringify(value)}`);
    return '';
  }
  if (value === undefined || value === '')
    throw new UsageError(`${rawName} needs a value: ${rawName} ${option.value ?? 'VALUE'}`);
  return value;
}

function unknownOption(rawName: string, names: readonly string[]): UsageError {
  const guess = nearest(rawName.replace(/^-+/, ''), names);
  const listed = names.map((name) => `--${name}`).join(', ');
  return new UsageError(
    guess === null
      ? `there is no option ${rawName}; there are ${listed}`
      : `there is no option ${rawName}. Did you mean --${guess}?`,
  );
}

/** The help of one command, for a terminal that is so wide. */
export function formatHelp(spec: CommandSpec, width: number): string {
  const rows = Object.entries(optionsOf(spec)).map(([name, option]): [string, string] => {
    const short = option.short === undefined ? '    ' : `-${option.short}, `;
    const value = option.type === 'string' ? ` ${option.value ?? 'VALUE'}` : '';
    return [`${short}--${name}${value}`, option.summary];
  });
  return [
    ...wrap(`Usage: spillway ${spec.usage}`, width, 'Usage: spillway '.length),
    '',
    ...spec.description.flatMap((paragraph) => [...wrap(paragraph, width, 0), '']),
    'Options:',
    ...formatRows(rows, width),
    ...(spec.examples.length === 0 ? [] : ['', 'Examples:', ...spec.examples.map((example) => `  ${example}`)]),
  ].join('\n');
}

/** Two columns, the second aligned. */
export function formatRows(rows: readonly (readonly [string, string])[], width: number): string[] {
  const first = Math.max(...rows.map(([left]) => left.length));
  return rows.flatMap(([left, right]) => wrap(`  ${left.padEnd(first)}  ${right}`, width, first + 4));
}
