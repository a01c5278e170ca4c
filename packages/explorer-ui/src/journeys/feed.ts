import type { JourneyList, JourneySummary } from '@throughline/explorer/api'

/** The list of recent journeys: what is shown, and what waits while the list is paused. */
export interface Feed {
  /** Newest first, each journey once. */
  readonly rows: readonly JourneySummary[]
  readonly held: readonly JourneySummary[]
  readonly paused: boolean
  /** Cursor of the next older page; null at the end. */
  readonly next: string | null
  readonly loaded: boolean
}

export const EMPTY_FEED: Feed = { rows: [], held: [], paused: false, next: null, loaded: false }

/** A list that fills by itself for days must not grow for days; older ones are a page away. */
const MAX_LIVE_ROWS = 400

export type FeedAction =
  | { readonly kind: 'arrived'; readonly summary: JourneySummary }
  | { readonly kind: 'newest'; readonly list: JourneyList }
  | { readonly kind: 'older'; readonly list: JourneyList }
  | { readonly kind: 'pause' }
  | { readonly kind: 'resume' }

/** The feed after an arrival, a page from the server, or the user's pause. */
export function reduceFeed(feed: Feed, action: FeedAction): Feed {
  switch (action.kind) {
    case 'arrived':
      return feed.paused
        ? { ...feed, held: merge([action.summary], feed.held) }
        : {
            ...feed,
            rows: merge([action.summary], feed.rows).slice(0, Math.max(MAX_LIVE_ROWS, feed.rows.length)),
          }
    case 'newest': {
      // What the stream brought while the page was under way is newer than the page says.
      const rows = merge(feed.rows, action.list.journeys)
      return { ...feed, rows, next: feed.loaded ? feed.next : action.list.next, loaded: true }
    }
    case 'older':
      return { ...feed, rows: merge(feed.rows, action.list.journeys), next: action.list.next }
    case 'pause':
      return { ...feed, paused: true }
    case 'resume':
      return { ...feed, paused: false, held: [], rows: merge(feed.held, feed.rows) }
  }
}

/**
 * Both lists, newest first; of a journey in both, the row that has seen more spans. A trace that was listed
 * before its event was known gives way to the event's own row.
 */
function merge(a: readonly JourneySummary[], b: readonly JourneySummary[]): readonly JourneySummary[] {
  const rows = new Map<string, JourneySummary>()
  for (const summary of [...a, ...b]) {
    const known = rows.get(summary.id)
    if (known === undefined || summary.spanCount > known.spanCount) rows.set(summary.id, summary)
  }
  const known = [...rows.values()]
  const withEvent = new Set(known.flatMap((row) => (row.event === null ? [] : [row.traceId])))
  return known.filter((row) => row.event !== null || !withEvent.has(row.traceId)).sort(newestFirst)
}

function newestFirst(a: JourneySummary, b: JourneySummary): number {
  const [x, y] = [a.startUnixNanos, b.startUnixNanos]
  if (x.length !== y.length) return y.length - x.length
  return x < y ? 1 : x > y ? -1 : 0
}

/** A service on a journey's way, and the transport that led to it; null where that cannot be said. */
export interface ChainLink {
  readonly service: string
  readonly via: string | null
}

/**
 * The services of a row with the transports between them. A summary says which transports were used, in order,
 * but not by whom: only where there is one between each two services is the order certain.
 */
export function chainOf(summary: JourneySummary): {
  readonly links: readonly ChainLink[]
  readonly transports: readonly string[]
} {
  const { services, transports } = summary
  const certain = transports.length === services.length - 1
  return {
    links: services.map((service, index) => ({
      service,
      via: certain && index > 0 ? (transports[index - 1] ?? null) : null,
    })),
    transports: certain ? [] : [...new Set(transports)],
  }
}
