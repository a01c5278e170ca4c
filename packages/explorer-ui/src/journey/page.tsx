import type { Journey } from '@throughline/explorer/api'
import { useEffect, useMemo } from 'react'
import { fetchJourney } from '../api/client.ts'
import { useQuery } from '../api/query.ts'
import { followJourneys } from '../api/stream.ts'
import { Header } from '../ui/header.tsx'
import { Link } from '../ui/link.tsx'
import { Failure } from '../ui/message.tsx'
import { buildModel } from './model.ts'
import { JourneyView } from './view.tsx'

/** One journey, fetched by the id in the address, and again when more of its spans have arrived. */
export function JourneyPage({ id }: { readonly id: string }) {
  const query = useQuery(id, fetchJourney)
  const { data, reload } = query
  useFollow(data, reload)
  useEffect(() => {
    document.title = `${data?.event?.type ?? id} · Throughline`
  }, [data, id])
  return (
    <div className="page journey-page">
      <Header query="" />
      {data !== null ? (
        <Loaded journey={data} />
      ) : (
        <main className="journeys">
          {query.error !== null ? (
            <Failure
              title={query.error.status === 404 ? 'No such journey' : 'The journey cannot be loaded'}
              error={query.error}
              onRetry={reload}
            >
              <Link to="/" className="button">
                Recent journeys
              </Link>
            </Failure>
          ) : (
            <div className="loading" role="status" aria-label="Loading the journey">
              <div className="skeleton" />
              <div className="skeleton tall" />
            </div>
          )}
        </main>
      )}
    </div>
  )
}

function Loaded({ journey }: { readonly journey: Journey }) {
  const model = useMemo(() => buildModel(journey), [journey])
  return <JourneyView model={model} />
}

const SETTLE_MS = 400

/** A journey opened while it happens grows on the page; a burst of spans is fetched once. */
function useFollow(journey: Journey | null, reload: () => void): void {
  useEffect(() => {
    if (journey === null) return
    let timer: ReturnType<typeof setTimeout> | null = null
    const stop = followJourneys({
      onState: () => {},
      onJourney: (summary) => {
        const isThis = summary.id === journey.id || journey.traceIds.includes(summary.traceId)
        if (!isThis || summary.spanCount <= journey.spans.length || timer !== null) return
        timer = setTimeout(reload, SETTLE_MS)
      },
    })
    return () => {
      stop()
      if (timer !== null) clearTimeout(timer)
    }
  }, [journey, reload])
}
