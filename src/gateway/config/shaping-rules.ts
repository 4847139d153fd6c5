/** Rules about what a route does with its requests: who answers, what is changed, and that no request can break out of it. */
import { parsePathPattern } from '../routing/path-pattern.ts';
import { refusedField } from '../shaping/field-edits.ts';
import { placeOf, hasLength } from '../shaping/route-answer.ts';
import { type PathNames, pathNames } from '../shaping/path-names.ts';
import { mistakeInTemplate, type Place } from '../shaping/template.ts';
import { compileMatch } from './compile-route.ts';
import type { MistakeList, Path } from '../../reading/mistakes.ts';
import { show } from '../../reading/mistakes.ts';
import type { Route } from './route-schema.ts';

const ANSWERERS = ['service', 'split', 'redirect', 'respond'] as const;

export function checkShaping(route: Route, path: Path, list: MistakeList): void {
  checkAnswerer(route, path, list);
  if (route.split !== undefined) checkArms(route.split.arms, [...path, 'split', 'arms'], list);
  const { match, redirect, respond, rewrite, requestHeaders, responseHeaders } = route;
  if (list.isMisread([...path, 'match', 'path']) || list.isMisread([...path, 'match', 'pathRegex'])) return;
  const names = pathNames(compileMatch(match));
  if (redirect !== undefined) checkRedirect(redirect.to, route, names, [...path, 'redirect', 'to'], list);
  if (respond !== undefined) checkRespond(respond, names, [...path, 'respond'], list);
  if (rewrite !== undefined) checkRewrite(rewrite, route, names, [...path, 'rewrite'], list);
  if (requestHeaders !== undefined) checkEdits(requestHeaders, 'request', names, [...path, 'requestHeaders'], list);
  if (responseHeaders !== undefined) checkEdits(responseHeaders, 'answer', names, [...path, 'responseHeaders'], list);
}

/** Somebody has to answer, and only one can. */
function checkAnswerer(route: Route, path: Path, list: MistakeList): void {
  const given = ANSWERERS.filter((key) => route[key] !== undefined);
  const [first, second] = given;
  if (first === undefined) {
    list.error(path, { message: 'nobody answers this route', expected: `one of ${ANSWERERS.join(', ')}` });
  } else if (second !== undefined) {
    const message = `a route has one of ${ANSWERERS.join(', ')}, and this has ${given.join(' and ')}`;
    list.error([...path, second], { message, expected: 'one of them' }, 'key');
  }
  if (first !== 'redirect' && first !== 'respond') return;
  for (const key of ['rewrite', 'requestHeaders', 'mirror'] as const) {
    if (route[key] === undefined) continue;
    const message = `${key} means nothing here: the gateway answers by itself, and nothing is sent on`;
    list.error([...path, key], { message, expected: `${key} in a route with service or split` }, 'key');
  }
}

function checkArms(arms: NonNullable<Route['split']>['arms'], path: Path, list: MistakeList): void {
  if (arms.every(({ weight }) => weight === 0)) {
    const message = 'the weights of this split sum to 0: no arm gets requests';
    list.error(path, { message, found: 'weight 0 everywhere', expected: 'one arm with a weight above 0' });
  }
  const names = arms.map(({ name, service }) => name ?? service);
  for (const [index, name] of names.entries()) {
    const before = names.indexOf(name);
    if (before === index) continue;
    const message = `arm ${index} has the same name as arm ${before}`;
    list.error([...path, index], { message, found: show(name), expected: 'a name of its own' });
  }
}

// WHY five parameters: a text, what it is for, and where it stands; the four callers differ in each.
function checkTemplate(text: string, place: Place, names: PathNames, path: Path, list: MistakeList): boolean {
  const mistake = mistakeInTemplate(text, place, names);
  if (mistake === null) return true;
  list.error(path, { message: mistake, found: show(text) });
  return false;
}

function checkRedirect(to: string, { match }: Route, names: PathNames, path: Path, list: MistakeList): void {
  const isAddress = /^(https?|\{scheme\}):\/\/[^/?#]/.test(to);
  const isPath = placeOf(to) === 'path' && !to.startsWith('//');
  if (!isAddress && !isPath) {
    const message = 'a redirect leads to a path or to an address with http or https';
    list.error(path, { message, found: show(to), expected: '/users/{id} or https://{host}{path}' });
    return;
  }
  if (!checkTemplate(to, placeOf(to), names, path, list)) return;
  if (to !== match.path && to !== '{path}') return;
  list.error(path, { message: 'this redirect leads to itself', found: show(to), expected: 'another path' });
}

function checkRespond(respond: NonNullable<Route['respond']>, names: PathNames, path: Path, list: MistakeList): void {
  const { status, body, headers } = respond;
  if (body !== '' && (!hasLength(status) || status === 205)) {
    const message = `an answer ${status} has no content (RFC 9110 §15)`;
    list.error([...path, 'body'], { message, expected: 'no body, or another status' });
  }
  checkFields(headers, 'answer', names, [...path, 'headers'], list);
}

function checkRewrite(
  rewrite: NonNullable<Route['rewrite']>,
  { match }: Route,
  names: PathNames,
  path: Path,
  list: MistakeList,
): void {
  if (rewrite.path !== undefined && rewrite.prefix !== undefined) {
    list.error(
      [...path, 'prefix'],
      { message: 'a rewrite has a path or a prefix, not both', expected: 'one of them' },
      'key',
    );
  }
  if (rewrite.prefix !== undefined && match.path !== undefined && !parsePathPattern(match.path).open) {
    const message = 'a prefix can be replaced only where the path of the route ends in /*';
    list.error([...path, 'prefix'], { message, found: show(rewrite.prefix), expected: 'path' });
  }
  for (const key of ['path', 'prefix'] as const) {
    const text = rewrite[key];
    if (text === undefined) continue;
    const begins = text.startsWith('/') || (key === 'path' && /^\{(path|\/rest)\}/.test(text));
    const odd = !begins ? 'it does not begin with /' : /[?#]/.test(text) ? 'the query goes along by itself' : null;
    if (odd !== null) {
      list.error([...path, key], { message: `this is no path: ${odd}`, found: show(text), expected: '/v2/{rest}' });
    } else if (key === 'prefix' && /[{}]/.test(text)) {
      const message = 'a prefix has no names in it';
      list.error([...path, key], { message, found: show(text), expected: `path: ${text}{/rest}` });
    } else checkTemplate(text, 'path', names, [...path, key], list);
  }
}

type Message = 'request' | 'answer';

function checkEdits(
  edits: NonNullable<Route['requestHeaders']>,
  message: Message,
  names: PathNames,
  path: Path,
  list: MistakeList,
): void {
  checkFields(edits.set, message, names, [...path, 'set'], list);
  checkFields(edits.add, message, names, [...path, 'add'], list);
  for (const [index, name] of edits.remove.entries()) checkName(name, message, [...path, 'remove', index], list);
}

function checkFields(
  fields: Readonly<Record<string, string>>,
  message: Message,
  names: PathNames,
  path: Path,
  list: MistakeList,
): void {
  for (const [name, value] of Object.entries(fields)) {
    checkName(name, message, [...path, name], list);
    checkTemplate(value, 'field', names, [...path, name], list);
  }
}

function checkName(name: string, message: Message, path: Path, list: MistakeList): void {
  const reason = refusedField(name, message);
  if (reason === null) return;
  list.error(
    path,
    {
      message: `the field ${name} of ${message === 'request' ? 'a request' : 'an answer'} cannot be changed: ${reason}`,
    },
    'key',
  );
}
