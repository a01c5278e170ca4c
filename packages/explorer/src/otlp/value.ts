import type { Attributes, AttributeValue } from '../api/schema.ts'
import { bigintOf, type WireAnyValue, type WireKeyValue } from './codec.ts'

/** OTLP's AnyValue; keeps apart what JSON does not (int and double, bytes and text). */
export type AnyValue =
  | { readonly type: 'empty' }
  | { readonly type: 'string'; readonly value: string }
  | { readonly type: 'bool'; readonly value: boolean }
  | { readonly type: 'int'; readonly value: bigint }
  | { readonly type: 'double'; readonly value: number }
  | { readonly type: 'bytes'; readonly value: Uint8Array }
  | { readonly type: 'array'; readonly value: readonly AnyValue[] }
  | { readonly type: 'kvlist'; readonly value: readonly (readonly [key: string, value: AnyValue])[] }

/** Attributes by name, in the order in which they came; of a repeated name the last one counts. */
export type AttributeMap = ReadonlyMap<string, AnyValue>

const empty: AnyValue = { type: 'empty' }

function anyValueOf(wire: WireAnyValue | null): AnyValue {
  switch (wire?.value) {
    case 'stringValue':
      return { type: 'string', value: wire.stringValue }
    case 'boolValue':
      return { type: 'bool', value: wire.boolValue }
    case 'intValue':
      return { type: 'int', value: bigintOf(wire.intValue) }
    case 'doubleValue':
      return { type: 'double', value: wire.doubleValue }
    case 'bytesValue':
      return { type: 'bytes', value: wire.bytesValue }
    case 'arrayValue':
      return { type: 'array', value: wire.arrayValue.values.map(anyValueOf) }
    case 'kvlistValue':
      return {
        type: 'kvlist',
        value: wire.kvlistValue.values.map(({ key, value }) => [key, anyValueOf(value)]),
      }
    default:
      return empty
  }
}

export function attributeMapOf(wire: readonly WireKeyValue[]): AttributeMap {
  const map = new Map<string, AnyValue>()
  for (const { key, value } of wire) map.set(key, anyValueOf(value))
  return map
}

/** The value as the API shows it: 64-bit integers beyond 2^53 as decimal strings, bytes as base64, NaN as text. */
export function jsonOf(value: AnyValue): AttributeValue {
  switch (value.type) {
    case 'empty':
      return null
    case 'int':
      return Number.isSafeInteger(Number(value.value)) ? Number(value.value) : String(value.value)
    case 'double':
      return Number.isFinite(value.value) ? value.value : String(value.value)
    case 'bytes':
      return Buffer.from(value.value).toString('base64')
    case 'array':
      return value.value.map(jsonOf)
    case 'kvlist':
      return recordOf(value.value)
    default:
      return value.value
  }
}

/** Attributes as the API shows them. A name such as `__proto__` is a name like any other. */
export const attributesOf = (map: AttributeMap): Attributes => recordOf(map)

function recordOf(entries: Iterable<readonly [string, AnyValue]>): { [name: string]: AttributeValue } {
  return Object.fromEntries([...entries].map(([key, value]) => [key, jsonOf(value)]))
}

/** A scalar as text (`42`, `true`, `abc`); undefined for lists, maps, bytes and nothing. */
export function textOf(value: AnyValue | undefined): string | undefined {
  switch (value?.type) {
    case 'string':
      return value.value
    case 'bool':
    case 'int':
    case 'double':
      return String(value.value)
    default:
      return undefined
  }
}

/** A finite number from an int, a double or text that is one; else undefined. */
export function numberOf(value: AnyValue | undefined): number | undefined {
  const text = textOf(value)
  if (text === undefined || text.trim() === '') return undefined
  const number = Number(text)
  return Number.isFinite(number) ? number : undefined
}

/** True for `true` and for the text `true`, as exporters without booleans write it. */
export const isTrue = (value: AnyValue | undefined): boolean => textOf(value)?.toLowerCase() === 'true'
