import { type Header, type Message, mediaTypeOf, SENT_AT_HEADER, STRUCTURED_JSON } from '@throughline/core'

export interface BatchLimits {
  readonly maxMessages: number
  readonly maxBytes: number
}

/** Messages that share a request: a batch, even of one, or a message as it is. */
export interface Run {
  readonly messages: readonly [Message, ...Message[]]
  readonly isBatch: boolean
}

export function single(message: Message): Run {
  return { messages: [message], isBatch: false }
}

/**
 * Runs of structured events for one destination that differ in nothing but their bodies and hop contexts. Every other
 * message is sent by itself, as it is. The order stays.
 */
export function gather(messages: readonly Message[], { maxMessages, maxBytes }: BatchLimits): readonly Run[] {
  const runs: Run[] = []
  let run: [Message, ...Message[]] | undefined
  let kind: string | null = null
  let bytes = 0
  for (const message of messages) {
    const own = kindOf(message)
    if (own === null) {
      runs.push(single(message))
      run = undefined
      continue
    }
    const size = (message.body?.byteLength ?? 0) + HOP_BYTES
    if (run === undefined || own !== kind || run.length >= maxMessages || bytes + size > maxBytes) {
      run = [message]
      runs.push({ messages: run, isBatch: true })
      kind = own
      bytes = size
    } else {
      run.push(message)
      bytes += size
    }
  }
  return runs
}

/** What a member grows by: a comma, and a hop context of usual length. */
const HOP_BYTES = 256

/** Messages of one kind may share a request; null for one that may not. */
function kindOf(message: Message): string | null {
  // Bytes that nobody has read as an event could spoil the batch for the others.
  if (message.event === undefined || !isStructured(message)) return null
  const headers = sharedHeaders(message).map(([name, value]) => [
    name.toLowerCase(),
    typeof value === 'string' ? value : [...value],
  ])
  return JSON.stringify([message.destination, headers])
}

function isStructured({ contentType, body }: Message): boolean {
  return contentType !== undefined && mediaTypeOf(contentType) === STRUCTURED_JSON && body !== null
}

const OF_ONE = new Set(['traceparent', 'tracestate', 'baggage', SENT_AT_HEADER])

/** A message's headers without those that each message of a batch has of its own. */
export function sharedHeaders({ headers }: Message): readonly Header[] {
  return headers.filter(([name]) => !OF_ONE.has(name.toLowerCase()))
}
