import { type ReactNode, useEffect } from 'react'
import { searchJourneys } from '../api/client.ts'
import { useLiveJourneys } from '../api/live.ts'
import { useQuery } from '../api/query.ts'
import type { StreamState } from '../api/stream.ts'
import { count } from '../format.ts'
import { Header } from '../ui/header.tsx'
import { Failure, Message } from '../ui/message.tsx'
import { Empty } from './empty.tsx'
import { JourneyRows } from './rows.tsx'

const SEARCH_ROWS = 200

/** The list of recent journeys, which fills by itself, or the journeys that a search found. */
export function JourneysPage({ query }: { readonly query: string }) {
  useEffect(() => {
    document.title = query === '' ? 'Journeys · Throughline' : `${query} · Throughline`
  }, [query])
  return (
    <div className="page">
      <Header query={query} />
      <main className="journeys">{query === '' ? <Recent /> : <Found query={query} />}</main>
    </div>
  )
}

function Recent() {
  const live = useLiveJourneys()
  const { feed } = live
  const isEmpty = feed.rows.length === 0
  return (
    <>
      <div className="list-head">
        <h1>Recent journeys</h1>
        <StreamMark state={live.stream} paused={feed.paused} />
        <span className="grow" />
        {feed.paused && feed.held.length > 0 && (
          <button type="button" className="button accent" onClick={() => live.setPaused(false)}>
            Show {feed.held.length} new
          </button>
        )}
        <button
          type="button"
          className="button"
          aria-pressed={feed.paused}
          onClick={() => live.setPaused(!feed.paused)}
        >
          {feed.paused ? 'Resume' : 'Pause'}
        </button>
      </div>
      {live.error !== null && (
        <Failure title="The list cannot be loaded" error={live.error} onRetry={live.retry} />
      )}
      {isEmpty && live.error === null && (feed.loaded ? <Empty /> : <Loading />)}
      {!isEmpty && <JourneyRows journeys={feed.rows} />}
      {feed.next !== null && (
        <button type="button" className="button older" disabled={live.loadingOlder} onClick={live.loadOlder}>
          {live.loadingOlder ? 'Loading…' : 'Older journeys'}
        </button>
      )}
    </>
  )
}

function Found({ query }: { readonly query: string }) {
  const found = useQuery(query, (text, signal) => searchJourneys(text, SEARCH_ROWS, signal))
  const journeys = found.data?.journeys ?? []
  let body: ReactNode
  if (found.error !== null) {
    body = <Failure title="The search failed" error={found.error} onRetry={found.reload} />
  } else if (found.loading) body = <Loading />
  else if (journeys.length === 0) {
    body = (
      <Message title="No journey found">
        <p>
          Nothing kept here matches <code>{query}</code>. Event ids, subjects, types, trace and span ids are
          matched, and the values of attributes that name things. The event may be older than what is kept.
        </p>
      </Message>
    )
  } else body = <JourneyRows journeys={journeys} />
  return (
    <>
      <div className="list-head">
        <h1>Search</h1>
        {found.data !== null && (
          <span className="dim" role="status">
            {count(journeys.length, 'journey')}
            {found.data.next === null ? '' : ' or more'}
          </span>
        )}
      </div>
      {body}
    </>
  )
}

function Loading() {
  return (
    <div className="loading" role="status" aria-label="Loading">
      {[0, 1, 2, 3, 4].map((row) => (
        <div key={row} className="skeleton" />
      ))}
    </div>
  )
}

const STREAM_WORDS: Readonly<Record<StreamState, string>> = {
  connecting: 'Connecting…',
  live: 'Live',
  reconnecting: 'Connection lost, reconnecting…',
}

function StreamMark({ state, paused }: { readonly state: StreamState; readonly paused: boolean }) {
  const isPaused = paused && state === 'live'
  return (
    <span className={`stream ${isPaused ? 'paused' : state}`} role="status">
      {isPaused ? 'Paused' : STREAM_WORDS[state]}
    </span>
  )
}
