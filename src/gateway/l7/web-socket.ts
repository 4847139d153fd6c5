/**
 * The checks that keep an upgrade to WebSocket from being used to smuggle requests past the gateway (RFC 6455 §4.1, §4.2):
 * a tunnel opens only if the client asked correctly and the server proves that it read the question.
 */
import { createHash } from 'node:crypto';
import { field } from './fields.ts';
import { type Head, METHOD_GET } from './head.ts';

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
/** 16 bytes in base64. */
const KEY = /^[A-Za-z0-9+/]{22}==$/;

function onlyValue(head: Head, id: number): string {
  const index = head.find(id);
  if (index < 0 || head.find(id, index + 1) >= 0) return '';
  return head.text(head.valueStart[index] ?? 0, head.valueEnd[index] ?? 0);
}

/** GET, version 13 and a key; that there is no body, and that `Connection` lists the upgrade, the parser has checked. */
export function isWebSocketRequest(head: Head): boolean {
  return (
    head.methodId === METHOD_GET &&
    head.contentLength <= 0 &&
    onlyValue(head, field.secWebsocketVersion) === '13' &&
    KEY.test(onlyValue(head, field.secWebsocketKey))
  );
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
