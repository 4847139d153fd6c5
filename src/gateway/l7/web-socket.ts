/**
 * The checks that keep an upgrade to WebSocket from being used to smuggle requests past the gateway (RFC 6455 §4.1, §4.2):
 * a tunnel opens only if the client asked correctly and the server proves that it read the question.
 */
import { createHash } from 'node:crypto';
import type { Refusal } from '../slots.ts';
import { field } from './fields.ts';
import { type Head, METHOD_GET } from './head.ts';

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
/** 16 bytes in base64. */
const KEY = /^[A-Za-z0-9+/]{22}==$/;

export const WEB_SOCKET_VERSION = '13';
/** Of RFC 6455 §4.1 or another. */
const VERSION = /^\d{1,3}$/;

function onlyValue(head: Head, id: number): string {
  const index = head.find(id);
  if (index < 0 || head.find(id, index + 1) >= 0) return '';
  return head.text(head.valueStart[index] ?? 0, head.valueEnd[index] ?? 0);
}

/**
 * Why this is no handshake, or null: it needs GET, the version and a key. That there is no body, and that `Connection` lists the
 * upgrade, the parser has checked.
 */
export function webSocketRefusal(head: Head): Refusal | null {
  const version = onlyValue(head, field.secWebsocketVersion);
  if (head.methodId !== METHOD_GET || head.contentLength > 0 || !VERSION.test(version)) return 'upgrade_refused';
  // Before the key, which another version may not have: the client is told which to come back with (§4.2.2).
  if (version !== WEB_SOCKET_VERSION) return 'upgrade_version';
  return KEY.test(onlyValue(head, field.secWebsocketKey)) ? null : 'upgrade_refused';
}

/** What the server must answer to the key of this request. */
export function acceptKey(head: Head): string {
  return createHash('sha1')
    .update(`${onlyValue(head, field.secWebsocketKey)}${GUID}`)
    .digest('base64');
}

/** True if this 101 opens the tunnel that was asked for. */
export function isAccepted(head: Head, expected: string): boolean {
  const index = head.upgradeIndex;
  if (!head.upgrade || index < 0) return false;
  const protocol = head.text(head.valueStart[index] ?? 0, head.valueEnd[index] ?? 0).toLowerCase();
  return protocol === 'websocket' && onlyValue(head, field.secWebsocketAccept) === expected;
}
