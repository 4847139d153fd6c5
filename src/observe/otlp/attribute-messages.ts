/**
 * What traces, metrics and logs have in common: attributes, whose they are, and by what they were made.
 *
 * Source: opentelemetry-proto 1.x, common.proto and resource.proto, by field numbers.
 */
import type { Attributes, AttributeValue } from '../trace/span-record.ts';
import { MessageType } from './message-type.ts';

export interface AnyValue {
  readonly stringValue?: string;
  readonly boolValue?: boolean;
  readonly intValue?: number;
  readonly doubleValue?: number;
  readonly arrayValue?: { readonly values?: readonly AnyValue[] };
  readonly kvlistValue?: { readonly values?: readonly KeyValue[] };
  /** Base64. */
  readonly bytesValue?: string;
}

export interface KeyValue {
  readonly key?: string;
  readonly value?: AnyValue;
}

export interface Resource {
  readonly attributes?: readonly KeyValue[];
}

const arrayValue: MessageType = new MessageType({ values: [1, () => anyValue, 'repeated'] });
const kvlistValue: MessageType = new MessageType({ values: [1, () => keyValue, 'repeated'] });
export const anyValue: MessageType = new MessageType({
  stringValue: [1, 'string'],
  boolValue: [2, 'bool'],
  intValue: [3, 'int64'],
  doubleValue: [4, 'double'],
  arrayValue: [5, () => arrayValue],
  kvlistValue: [6, () => kvlistValue],
  bytesValue: [7, 'bytes'],
});
export const keyValue: MessageType = new MessageType({ key: [1, 'string'], value: [2, () => anyValue] });
export const resource = new MessageType({
  attributes: [1, () => keyValue, 'repeated'],
  droppedAttributesCount: [2, 'uint32'],
});
export const scope = new MessageType({
  name: [1, 'string'],
  version: [2, 'string'],
  attributes: [3, () => keyValue, 'repeated'],
});

/** One without a name is none: a collector may refuse all that is sent with it. */
export function toKeyValues(attributes: Attributes): KeyValue[] {
  const named = Object.entries(attributes).filter(([key]) => key !== '');
  return named.map(([key, value]) => ({ key, value: toAnyValue(value) }));
}

function toAnyValue(value: AttributeValue): AnyValue {
  if (typeof value === 'string') return { stringValue: value };
  if (typeof value === 'boolean') return { boolValue: value };
  return Number.isSafeInteger(value) ? { intValue: value } : { doubleValue: value };
}

/** Of lists and maps, their JSON; of numbers that JSON has not, their names; of what is no value, an empty text. */
export function fromAnyValue(value: AnyValue | undefined): AttributeValue {
  const plain = plainOf(value ?? {});
  if (typeof plain === 'number' && !Number.isFinite(plain)) return String(plain);
  return plain !== null && typeof plain === 'object' ? JSON.stringify(plain) : (plain ?? '');
}

type Plain = AttributeValue | null | Plain[] | { [key: string]: Plain };

function plainOf({ arrayValue, kvlistValue, ...value }: AnyValue): Plain {
  if (arrayValue !== undefined) return (arrayValue.values ?? []).map(plainOf);
  if (kvlistValue !== undefined) {
    return Object.fromEntries((kvlistValue.values ?? []).map(({ key = '', value = {} }) => [key, plainOf(value)]));
  }
  return value.stringValue ?? value.boolValue ?? value.intValue ?? value.doubleValue ?? value.bytesValue ?? null;
}
