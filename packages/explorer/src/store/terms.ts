import { readMeaning } from '../journey/semantics.ts'
import type { Span } from '../otlp/span.ts'
import { textOf } from '../otlp/value.ts'

const maxLength = 256

/** Ids that say where a span ran, not what it was about: they would match every span of a service. */
const dull: ReadonlySet<string> = new Set([
  'thread.id',
  'messaging.destination.partition.id',
  'messaging.client.id',
  'messaging.client_id',
  'messaging.kafka.client_id',
  'messaging.mqtt.packet_id',
  'messaging.kafka.cluster.id',
])

/** The names under which {@link termsOf} files what is not a plain attribute. */
export const termNames = {
  service: 'service',
  destination: 'destination',
  event: 'event.id',
  source: 'event.source',
  type: 'event.type',
  subject: 'event.subject',
  position: 'position',
  key: 'key',
} as const

/**
 * What a span is found by: its service, destination, event, position (`topic[partition]@offset`), key, and the
 * values of all attributes that end in `.id` (DESIGN: a bare value finds `order.id=4711`).
 */
export function termsOf(span: Span): (readonly [name: string, value: string])[] {
  const meaning = readMeaning(span)
  const terms: (readonly [string, string])[] = []
  const add = (name: string, value: string | null | undefined) => {
    if (value && value.length <= maxLength) terms.push([name, value])
  }
  add(termNames.service, span.origin.service)
  add(termNames.destination, meaning.destination)
  add(termNames.event, meaning.event?.id)
  add(termNames.source, meaning.event?.source)
  add(termNames.type, meaning.event?.type)
  add(termNames.subject, meaning.event?.subject)
  add(termNames.key, meaning.key)
  if (meaning.destination && meaning.partition !== null && meaning.offset !== null)
    add(termNames.position, `${meaning.destination}[${meaning.partition}]@${meaning.offset}`)
  for (const [name, value] of span.attributes) {
    if (name.endsWith('.id') && !dull.has(name)) add(name, textOf(value))
  }
  for (const link of span.links)
    add('messaging.message.id', textOf(link.attributes.get('messaging.message.id')))
  return terms
}
