import protobuf from 'protobufjs'
import { OtlpDecodeError } from '../errors.ts'
import { requestOf, requestType, type WireRequest } from './codec.ts'

const maxDepth = 100
const hexFields: ReadonlySet<string> = new Set(['traceId', 'spanId', 'parentSpanId'])
const int64Range: Readonly<Record<string, readonly [bigint, bigint]>> = {
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
  fixed64: [0n, 2n ** 64n - 1n],
}
const uint32Types: ReadonlySet<string> = new Set(['uint32', 'fixed32'])

/**
 * Reads an `ExportTraceServiceRequest` in OTLP's JSON encoding (OTLP specification, "JSON Protobuf Encoding"):
 * ids as hex, 64-bit integers as text or number, enums as number or name, unknown names ignored.
 * @throws OtlpDecodeError naming the place
 */
export function decodeJsonRequest(body: Uint8Array): WireRequest {
  let parsed: unknown
  try {
    parsed = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new OtlpDecodeError(`body is not JSON: ${reason}`, { cause: error })
  }
  return requestOf(messageOf(requestType, parsed, '', 0))
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function messageOf(
  type: protobuf.Type,
  value: unknown,
  path: string,
  depth: number,
): Record<string, unknown> {
  if (!isObject(value)) throw wrong(path, 'an object', value)
  if (depth > maxDepth) throw new OtlpDecodeError(`${path}: nested deeper than ${maxDepth}`)
  const checked: Record<string, unknown> = {}
  for (const field of type.fieldsArray) {
    // A name such as `constructor` is in every object; only what the sender wrote counts.
    if (!Object.hasOwn(value, field.name)) continue
    const member = value[field.name]
    if (member === null) continue
    const at = path === '' ? field.name : `${path}.${field.name}`
    if (!field.repeated) {
      checked[field.name] = fieldOf(field, member, at, depth)
      continue
    }
    if (!Array.isArray(member)) throw wrong(at, 'a list', member)
    checked[field.name] = member.map((item: unknown, i) => fieldOf(field, item, `${at}[${i}]`, depth))
  }
  return checked
}

function fieldOf(field: protobuf.Field, value: unknown, path: string, depth: number): unknown {
  const resolved = field.resolvedType
  if (resolved instanceof protobuf.Type) return messageOf(resolved, value, path, depth + 1)
  if (resolved instanceof protobuf.Enum) return enumOf(resolved, value, path)
  const range = int64Range[field.type]
  if (range) return bigintFrom(value, range, path)
  if (uint32Types.has(field.type)) {
    const number = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value
    if (typeof number !== 'number' || !Number.isInteger(number) || number < 0 || number > 0xffff_ffff)
      throw wrong(path, 'an unsigned 32-bit integer', value)
    return number
  }
  if (field.type === 'bytes') return bytesOf(value, hexFields.has(field.name), path)
  if (field.type === 'double') return doubleOf(value, path)
  const expected = field.type === 'bool' ? 'boolean' : 'string'
  if (typeof value !== expected) throw wrong(path, `a ${expected}`, value)
  return value
}

function enumOf(type: protobuf.Enum, value: unknown, path: string): number {
  const number = typeof value === 'string' && Object.hasOwn(type.values, value) ? type.values[value] : value
  // Numbers that we do not know are a later version's and stay as they are.
  if (typeof number === 'number' && Number.isInteger(number) && Math.abs(number) <= 0x7fff_ffff) return number
  throw wrong(path, `one of ${Object.keys(type.values).join(', ')} or its number`, value)
}

function bigintFrom(value: unknown, [min, max]: readonly [bigint, bigint], path: string): bigint {
  const integer =
    typeof value === 'string' && /^-?\d{1,20}$/.test(value)
      ? BigInt(value)
      : typeof value === 'number' && Number.isInteger(value)
        ? BigInt(value)
        : undefined
  if (integer === undefined || integer < min || integer > max) throw wrong(path, 'a 64-bit integer', value)
  return integer
}

function bytesOf(value: unknown, isHex: boolean, path: string): Uint8Array {
  if (typeof value === 'string' && isHex && /^(?:[0-9a-f]{2})*$/i.test(value))
    return Buffer.from(value, 'hex')
  if (typeof value === 'string' && !isHex && /^[A-Za-z0-9+/_-]*={0,2}$/.test(value))
    return Buffer.from(value, 'base64')
  throw wrong(path, isHex ? 'hex digits' : 'base64', value)
}

const namedDoubles: Readonly<Record<string, number>> = {
  NaN: Number.NaN,
  Infinity: Number.POSITIVE_INFINITY,
  '-Infinity': Number.NEGATIVE_INFINITY,
}
function doubleOf(value: unknown, path: string): number {
  if (typeof value === 'number') return value
  if (typeof value === 'string') {
    const named = Object.hasOwn(namedDoubles, value) ? namedDoubles[value] : undefined
    if (named !== undefined) return named
    if (value.trim() !== '' && Number.isFinite(Number(value))) return Number(value)
  }
  throw wrong(path, 'a number', value)
}

function wrong(path: string, expected: string, value: unknown): OtlpDecodeError {
  const shown = JSON.stringify(value)?.slice(0, 40) ?? typeof value
  return new OtlpDecodeError(`${path === '' ? 'body' : path}: expected ${expected}, got ${shown}`)
}
