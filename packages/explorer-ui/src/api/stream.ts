import type { JourneySummary } from '@throughline/explorer/api'
import { parseSummary } from './client.ts'

export type StreamState = 'connecting' | 'live' | 'reconnecting'

export interface StreamListener {
  onJourney(summary: JourneySummary): void
  /** `resumed`: the stream was lost before, so journeys may have been missed in between. */
  onState(state: StreamState, resumed: boolean): void
}

const STREAM_PATH = '/api/journeys/stream'
const MAX_RETRY_MS = 10_000

/**
 * Follows the journeys as they arrive until the returned function is called. The browser reconnects by itself
 * after a lost connection, but gives up for good on an HTTP error (a proxy's 502 while the explorer restarts):
 * then a new stream is opened, with growing pauses.
 */
export function followJourneys(listener: StreamListener): () => void {
  let source: EventSource | null = null
  let timer: ReturnType<typeof setTimeout> | null = null
  let failures = 0
  let wasLost = false

  const open = (): void => {
    const current = new EventSource(STREAM_PATH)
    source = current
    current.onopen = () => {
      failures = 0
      listener.onState('live', wasLost)
      wasLost = false
    }
    current.onerror = () => {
      wasLost = true
      listener.onState('reconnecting', false)
      if (current.readyState !== EventSource.CLOSED) return
      current.close()
      timer = setTimeout(open, Math.min(MAX_RETRY_MS, 500 * 2 ** failures++))
    }
    current.addEventListener('journey', (message) => {
      const summary = parseSummary(message.data)
      if (summary !== null) listener.onJourney(summary)
    })
  }

  listener.onState('connecting', false)
  open()
  return () => {
    if (timer !== null) clearTimeout(timer)
    source?.close()
  }
}
