import { useCallback, useEffect, useReducer, useState } from 'react'
import { EMPTY_FEED, type Feed, reduceFeed } from '../journeys/feed.ts'
import { ApiError, fetchJourneys } from './client.ts'
import { followJourneys, type StreamState } from './stream.ts'

const PAGE_ROWS = 100

export interface LiveJourneys {
  readonly feed: Feed
  readonly stream: StreamState
  readonly error: ApiError | null
  readonly loadingOlder: boolean
  setPaused(paused: boolean): void
  loadOlder(): void
  retry(): void
}

/** The recent journeys: the newest page, then whatever arrives; asked for again after the stream was lost. */
export function useLiveJourneys(): LiveJourneys {
  const [feed, dispatch] = useReducer(reduceFeed, EMPTY_FEED)
  const [stream, setStream] = useState<StreamState>('connecting')
  const [error, setError] = useState<ApiError | null>(null)
  const [round, setRound] = useState(0)
  const [older, setOlder] = useState<string | null>(null)

  const retry = useCallback(() => setRound((n) => n + 1), [])

  useEffect(
    () =>
      followJourneys({
        onJourney: (summary) => dispatch({ kind: 'arrived', summary }),
        onState: (state, resumed) => {
          setStream(state)
          if (resumed) retry()
        },
      }),
    [retry],
  )

  // A new round asks again.
  useEffect(() => {
    const controller = new AbortController()
    fetchJourneys(PAGE_ROWS, null, controller.signal).then(
      (list) => {
        setError(null)
        dispatch({ kind: 'newest', list })
      },
      (cause: unknown) => {
        if (!controller.signal.aborted) setError(asApiError(cause))
      },
    )
    return () => controller.abort()
  }, [round])

  useEffect(() => {
    if (older === null) return
    const controller = new AbortController()
    fetchJourneys(PAGE_ROWS, older, controller.signal).then(
      (list) => {
        dispatch({ kind: 'older', list })
        setOlder(null)
      },
      (cause: unknown) => {
        if (controller.signal.aborted) return
        setError(asApiError(cause))
        setOlder(null)
      },
    )
    return () => controller.abort()
  }, [older])

  return {
    feed,
    stream,
    error,
    loadingOlder: older !== null,
    setPaused: (paused) => dispatch({ kind: paused ? 'pause' : 'resume' }),
    loadOlder: () => setOlder(feed.next),
    retry,
  }
}

function asApiError(cause: unknown): ApiError {
  return cause instanceof ApiError
    ? cause
    : new ApiError('TL_UI_UNEXPECTED', 0, `Unexpected: ${String(cause)}`)
}
