import type { Context } from '@opentelemetry/api'
import type { Processing } from './processes.ts'

/**
 * Messages in the hands of loops, by the span ids of their hop contexts. A loop's body has no active context of its own,
 * by which headers that are copied from its message would be known.
 */
const contexts = new Map<string, Context>()
/** Loops may be left without a word, their streams never closed. The oldest are forgotten. */
const MAX_MESSAGES = 10_000

/** As much of a processing as has to be known of it. */
export interface Held extends Pick<Processing, 'context'> {
  readonly process: Pick<Processing['process'], 'hop'>
}

export function take({ process: { hop }, context }: Held): void {
  const spanId = hop?.spanContext?.spanId
  if (spanId === undefined) return
  for (const oldest of contexts.keys()) {
    if (contexts.size < MAX_MESSAGES) break
    contexts.delete(oldest)
  }
  contexts.set(spanId, context)
}

export function letGo({ process: { hop }, context }: Held): void {
  const spanId = hop?.spanContext?.spanId
  if (spanId !== undefined && contexts.get(spanId) === context) contexts.delete(spanId)
}

/** What is sent with headers that have this hop context is sent on behalf of the message in whose hands it is. */
export function contextInHands(spanId: string): Context | undefined {
  return contexts.get(spanId)
}
