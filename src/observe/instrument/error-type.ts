/** What kind of error it was, in a word of which there are few: a code if it has one, else its class. Never its message. */
import { partOf } from '../context/plain-text.ts';

export function errorType(error: unknown): string {
  if (typeof error !== 'object' || error === null) return typeof error;
  const [code, name] = [partOf(error, 'code'), partOf(error, 'name')];
  if (typeof code === 'string' && /^\w{1,40}$/.test(code)) return code;
  return typeof name === 'string' && /^\w{1,40}$/.test(name) ? name : 'Error';
}
