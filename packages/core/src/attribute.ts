import type { AttributeValue, CloudEvent } from './event.ts'

/**
 * An attribute's canonical string (CloudEvents 1.0.2 §2.4): integers in decimal, booleans `true`/`false`,
 * binary in base64. Every binary content mode writes this.
 */
export function attributeText(value: AttributeValue): string {
  if (typeof value === 'string') return value
  if (value instanceof Uint8Array)
    return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64')
  return String(value)
}

/** The context attributes of an event that has been validated, without `datacontenttype` and `data`. */
export function contextAttributes(event: CloudEvent): [name: string, value: AttributeValue][] {
  const attributes: [string, AttributeValue][] = []
  for (const name in event) {
    if (name === 'data' || name === 'datacontenttype') continue
    const value = event[name]
    if (
      typeof value === 'string' ||
      typeof value === 'number' ||
      typeof value === 'boolean' ||
      value instanceof Uint8Array
    ) {
      attributes.push([name, value])
    }
  }
  return attributes
}
