import type { JourneySummary } from '@throughline/explorer/api'
import { parseSummary } from './client.ts'
import { eventReader } from './events.ts'
import { fetchWithToken } from './token.ts'

export type StreamState = 'connecting' | 'live' | 'reconnecting'

export interface StreamListener {
  onJourney(summary: JourneySummary): void
  /** `resumed`: the stream was lost before, so journeys may have been missed in between. */
  onState(state: StreamState, resumed: boolean): void
}

const STREAM_PATH = '/api/journeys/stream'
const MAX_RETRY_MS = 10_000

/**
 * Follows the journeys as they arrive until the returned function is called. A stream that is lost or refused (a
 * proxy's 502 while the explorer restarts) is opened again, with growing pauses; one that wants a token is not: the
 * page asks for it.
 */
export function followJourneys(listener: StreamListener): () => void {
  const controller = new AbortController()
  const { signal } = controller
  let timer: ReturnType<typeof setTimeout> | null = null
  let failures = 0
  let wasLost = false

  const open = async (): Promise<void> => {
    try {
      const response = await fetchWithToken(STREAM_PATH, { signal, accept: 'text/event-stream' })
      if (response.status === 401) return
      if (response.ok && response.body !== null) {
        failures = 0
        listener.onState('live', wasLost)
        await readEvents(response.body, listener)
      }
    } catch {
      // Lost: what follows is the same as for a stream that ended.
    }
    if (signal.aborted) return
    wasLost = true
    listener.onState('reconnecting', false)
    timer = setTimeout(open, Math.min(MAX_RETRY_MS, 500 * 2 ** failures++))
  }

  listener.onState('connecting', false)
  void open()
  return () => {
    if (timer !== null) clearTimeout(timer)
    controller.abort()
  }
}

/** Hands on what a stream brings until it ends. */
async function readEvents(body: ReadableStream<Uint8Array>, listener: StreamListener): Promise<void> {
  const reader = body.getReader()
  const decoder = new TextDecoder()
  const read = eventReader()
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      for (const { type, data } of read(decoder.decode(part.value, { stream: true }))) {
        const summary = type === 'journey' ? parseSummary(data) : null
        if (summary !== null) listener.onJourney(summary)
      }
    }
  } finally {
    // A stream that is given up would go on filling a buffer that nobody reads.
    reader.cancel().catch(() => {})
  }
}
