import type { Context } from '@opentelemetry/api'
import type { Processing } from './processes.ts'

/**
 * Messages in the hands of loops, by the span ids of their hop contexts. A loop's body has no active context of its own,
 * by which headers that are copied from its message would be known.
 */
const contexts = new Map<string, Context>()

export function take({ process: { hop }, context }: Processing): void {
  const spanId = hop?.spanContext?.spanId
  if (spanId !== undefined) contexts.set(spanId, context)
}

export function letGo({ process: { hop }, context }: Processing): void {
  const spanId = hop?.spanContext?.spanId
  if (spanId !== undefined && contexts.get(spanId) === context) contexts.delete(spanId)
}

/** What is sent with headers that have this hop context is sent on behalf of the message in whose hands it is. */
export function contextInHands(spanId: string): Context | undefined {
  return contexts.get(spanId)
}
