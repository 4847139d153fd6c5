/**
 * `tracestate`: what each tracing system on the way has noted, the latest first. Ours notes nothing and passes on what came.
 *
 * Invariant: what is returned is a valid list of at most 32 members and 512 characters with no blanks around them, or empty.
 * A list with a member that is none, two of one name or more than 32 is dropped whole, as the standard's own tests demand; the
 * `traceparent` beside it is not. Cost: O(characters).
 * Source: W3C Trace Context level 2, §3.3.
 */
import { listMembers } from './list-members.ts';

const MEMBERS_MAX = 32;
/** What everybody must be able to pass on; more is cut by someone sooner or later. */
const LENGTH_MAX = 512;
/** 32 members of the longest, with room for blanks. */
const TEXT_MAX = 20_000;
/** Longer members go first. */
const LARGE = 128;

const MEMBER = /^[a-z0-9][a-z0-9_\-*/@]{0,255}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/;

/** The list without blanks and empty members. Empty if it is not one. Several fields are joined by commas beforehand. */
export function parseTracestate(text: string): string {
  if (text === '' || text.length > TEXT_MAX) return '';
  const members = listMembers(text);
  if (members.length > MEMBERS_MAX || !members.every((member) => MEMBER.test(member))) return '';
  const keys = new Set(members.map((member) => member.slice(0, member.indexOf('='))));
  return keys.size === members.length ? cut(members).join(',') : '';
}

/** Members are taken away whole: the last of the large ones first, then the last. */
function cut(members: string[]): string[] {
  let length = members.reduce((sum, member) => sum + member.length + 1, -1);
  while (length > LENGTH_MAX) {
    const large = members.findLastIndex((member) => member.length > LARGE);
    const [gone = ''] = members.splice(large, 1);
    length -= gone.length + 1;
  }
  return members;
}
