import { z } from 'zod'
import { fileSchema } from './schema.ts'

/** The JSON Schema (2020-12) of a configuration file, for editors. */
export function configSchema(): Record<string, unknown> {
  return { ...z.toJSONSchema(fileSchema, { io: 'input' }), title: 'Throughline bridge' }
}

/** The reference of all fields as Markdown, made from the same schema. */
export function configReference(): string {
  const lines: string[] = []
  describe(z.json().parse(configSchema()), '', lines)
  return `${lines.join('\n')}\n`
}

type Json = z.infer<ReturnType<typeof z.json>>
type JsonObject = { [name: string]: Json }

/** One heading an object, one line a field. */
function describe(schema: Json | undefined, path: string, lines: string[]): void {
  if (!isObject(schema)) return
  const { additionalProperties, properties, required } = schema
  const union = schema.oneOf ?? schema.anyOf
  if (isObject(additionalProperties)) describe(additionalProperties, `${path}.<name>`, lines)
  if (Array.isArray(union) && union.some((each) => isObject(each) && isObject(each.properties))) {
    for (const option of union) describe(option, path, lines)
    return
  }
  if (!isObject(properties)) return
  const fields = Object.entries(properties)
  lines.push(`\n### ${headingOf(path, properties)}\n`, '| field | value | default | |', '|---|---|---|---|')
  for (const [name, field] of fields) {
    if (!isObject(field)) continue
    const optional =
      Array.isArray(required) && required.includes(name) ? 'required' : defaultOf(field.default)
    lines.push(
      `| \`${name}\` | ${valueText(field)} | ${optional} | ${typeof field.description === 'string' ? field.description : ''} |`,
    )
  }
  for (const [name, field] of fields) {
    const at = path === '' ? name : `${path}.${name}`
    if (!isLeaf(field)) describe(field, at, lines)
    else if (isObject(field)) describe(field.items, `${at}[]`, lines)
  }
}

function headingOf(path: string, properties: JsonObject): string {
  const { type, mechanism } = properties
  if (isObject(type) && typeof type.const === 'string') return `${path} (${type.const})`
  if (isObject(mechanism) && typeof mechanism.const === 'string') return `${path} (${mechanism.const})`
  if (!('connection' in properties)) return path === '' ? 'The file' : path
  return `${path} (${transportOf(properties)})`
}

/** Which transport an end of a route is for, by the field that only it has. */
function transportOf(properties: JsonObject): string {
  if ('url' in properties || 'path' in properties) return 'http'
  if ('exchange' in properties || 'queue' in properties) return 'rabbitmq'
  return 'qos' in properties ? 'mqtt' : 'kafka'
}

function isLeaf(field: Json): boolean {
  return isObject(field) && field.type !== 'object' && !Array.isArray(field.oneOf) && !mappings(field.anyOf)
}

function mappings(options: Json | undefined): boolean {
  return Array.isArray(options) && options.some((each) => isObject(each) && each.type === 'object')
}

function defaultOf(value: Json | undefined): string {
  if (Array.isArray(value)) return value.length === 0 ? 'none' : `\`${value.join(', ')}\``
  return value === undefined || isObject(value) ? '' : `\`${value}\``
}

function valueText({ type, enum: words, const: only, anyOf, oneOf }: JsonObject): string {
  if (only !== undefined) return `\`${String(only)}\``
  if (Array.isArray(words)) return words.map((word) => `\`${String(word)}\``).join(', ')
  const options = anyOf ?? oneOf
  if (Array.isArray(options)) {
    if (mappings(options)) return 'mapping'
    return [...new Set(options.map((option) => (isObject(option) ? valueText(option) : '')))].join(' or ')
  }
  if (type === 'array') return 'list'
  return type === 'object' ? 'mapping' : typeof type === 'string' ? type : ''
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
