/**
 * Where the values of a `spillway.config.ts` stand in its source. Pure.
 *
 * Types are stripped (which keeps every position), the rest is parsed, and a path is followed from `export default` through
 * `defineConfig(…)`, object and array literals, top-level constants and spreads. What is computed has no place of its own:
 * the nearest enclosing expression that can be found stands for it.
 */
import { stripTypeScriptTypes } from 'node:module';
import { parse } from 'acorn';
import type { Expression, Identifier, Node, ObjectExpression, Program, Property } from 'acorn';
import type { Locate, Place } from './mistakes.ts';

const fileStart: Place = { line: 1, column: 1 };
// Constants that name constants that name …; enough for anyone, and an end for a circle.
const HOPS_MAX = 16;

/** A locator for the source of a config module. A source that cannot be parsed has one place: its beginning. */
export function locateInModule(source: string, options: { readonly typescript: boolean }): Locate {
  const program = parseModule(source, options.typescript);
  if (program === null) return () => fileStart;
  const constants = topLevelConstants(program);
  const root = defaultExport(program);
  return (path, part = 'value') => {
    let node: Node | null = root;
    let place = node === null ? fileStart : placeOf(node);
    for (const [index, step] of path.entries()) {
      const value: Node | null = node === null ? null : unwrap(node, constants);
      const found: Found | null = value === null ? null : childOf(value, step, constants, HOPS_MAX);
      if (found === null) return place;
      if (part === 'key' && index === path.length - 1) return placeOf(found.key);
      node = found.value;
      place = placeOf(node);
    }
    return place;
  };
}

interface Found {
  readonly key: Node;
  readonly value: Node;
}

type Constants = ReadonlyMap<string, Expression>;

/** Where the parser gives up on a source, or null if it does not. */
export function syntaxErrorPlace(source: string, options: { readonly typescript: boolean }): Place | null {
  try {
    parseScript(options.typescript ? stripTypes(source) : source);
    return null;
  } catch (error) {
    const at = (error as { readonly loc?: { readonly line: number; readonly column: number } }).loc;
    return at === undefined ? null : { line: at.line, column: at.column + 1 };
  }
}

function parseScript(script: string): Program {
  return parse(script, { ecmaVersion: 'latest', sourceType: 'module', locations: true });
}

function parseModule(source: string, typescript: boolean): Program | null {
  try {
    return parseScript(typescript ? stripTypes(source) : source);
  } catch {
    return null;
  }
}

/** WHY: stripping is what Node itself does to a .ts file, but calling it prints an "experimental" warning on first use. */
function stripTypes(source: string): string {
  const emitWarning = process.emitWarning.bind(process);
  process.emitWarning = () => {};
  try {
    return stripTypeScriptTypes(source, { mode: 'strip' });
  } finally {
    process.emitWarning = emitWarning;
  }
}

function placeOf(node: Node): Place {
  const start = node.loc?.start;
  return start === undefined ? fileStart : { line: start.line, column: start.column + 1 };
}

function topLevelConstants(program: Program): Constants {
  const constants = new Map<string, Expression>();
  for (const statement of program.body) {
    const declaration = statement.type === 'ExportNamedDeclaration' ? statement.declaration : statement;
    if (declaration?.type !== 'VariableDeclaration') continue;
    for (const { id, init } of declaration.declarations) {
      if (id.type === 'Identifier' && init !== null && init !== undefined) constants.set(id.name, init);
    }
  }
  return constants;
}

function defaultExport(program: Program): Node | null {
  for (const statement of program.body) {
    if (statement.type === 'ExportDefaultDeclaration') return statement.declaration;
    if (statement.type !== 'ExportNamedDeclaration') continue;
    for (const { exported, local } of statement.specifiers) {
      if (exported.type === 'Identifier' && exported.name === 'default') return local;
    }
  }
  return null;
}

/** The literal behind names, `defineConfig(…)`, `await`, parentheses and `Object.freeze(…)`. */
function unwrap(node: Node, constants: Constants): Node {
  let current = node as Expression | Identifier;
  for (let hop = 0; hop < HOPS_MAX; hop++) {
    let next: Node | undefined;
    if (current.type === 'Identifier') next = constants.get(current.name);
    else if (current.type === 'CallExpression') next = current.arguments[0];
    else if (current.type === 'AwaitExpression') next = current.argument;
    else if (current.type === 'ParenthesizedExpression') next = current.expression;
    if (next === undefined) return current;
    current = next as Expression;
  }
  return current;
}

function childOf(node: Node, step: string | number, constants: Constants, hops: number): Found | null {
  const value = node as Expression;
  if (value.type === 'ObjectExpression') return propertyOf(value, String(step), constants, hops);
  if (value.type !== 'ArrayExpression' || typeof step !== 'number') return null;
  let index = 0;
  for (const element of value.elements) {
    if (element?.type === 'SpreadElement') {
      const spread = unwrap(element.argument, constants) as Expression;
      if (spread.type !== 'ArrayExpression') return { key: element, value: element };
      if (step < index + spread.elements.length) {
        return hops === 0 ? null : childOf(spread, step - index, constants, hops - 1);
      }
      index += spread.elements.length;
    } else if (index++ === step) return element === null ? null : { key: element, value: element };
  }
  return null;
}

/** The last one wins, as when the literal is evaluated. */
function propertyOf(object: ObjectExpression, name: string, constants: Constants, hops: number): Found | null {
  for (const property of object.properties.toReversed()) {
    if (property.type === 'Property') {
      if (keyOf(property) === name) return { key: property.key, value: property.value };
      continue;
    }
    const spread = unwrap(property.argument, constants) as Expression;
    const found = spread.type === 'ObjectExpression' && hops > 0 ? propertyOf(spread, name, constants, hops - 1) : null;
    if (found !== null) return found;
  }
  return null;
}

function keyOf(property: Property): string | null {
  const { key } = property;
  if (key.type === 'Identifier' && !property.computed) return key.name;
  return key.type === 'Literal' ? String(key.value) : null;
}
