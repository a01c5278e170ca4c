import { z } from 'zod'

/** CloudEvents as JSON, written and read by hand. */

export const CONTENT_TYPE = 'application/cloudevents+json'

export interface Event {
  readonly id: string
  readonly type: string
  readonly source: string
  readonly subject: string
  readonly data: unknown
}

const event = z.object({
  id: z.string(),
  type: z.string(),
  source: z.string(),
  subject: z.string(),
  data: z.unknown(),
})

export const toJson = (event: Event): string => JSON.stringify({ specversion: '1.0', ...event })

export const fromJson = (body: string): Event => event.parse(JSON.parse(body))
