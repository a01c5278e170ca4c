import { z } from 'zod'
import type { JourneyKey } from '../store.ts'

const eventText = z.tuple([z.string(), z.string().nullable()])

/** The text under which a journey stands in a partition's list. */
export const journeyKeyText = (key: JourneyKey): string =>
  key.kind === 'event' ? `e${JSON.stringify([key.event.id, key.event.source])}` : `t${key.traceId}`

/** Reads what `journeyKeyText` wrote. */
export function journeyKeyOf(text: string): JourneyKey {
  if (!text.startsWith('e')) return { kind: 'trace', traceId: text.slice(1) }
  const [id, source] = eventText.parse(JSON.parse(text.slice(1)))
  return { kind: 'event', event: { id, source } }
}
