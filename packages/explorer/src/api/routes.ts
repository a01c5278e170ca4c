import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { findJourney, searchJourneys } from '../journey/find.ts'
import type { Live } from '../journey/live.ts'
import { recentJourneys } from '../journey/recent.ts'
import type { Retention, SpanStore } from '../store/store.ts'
import { jaegerAnswer, jaegerTrace } from './jaeger.ts'
import { sendProblem } from './problem.ts'
import type { ExplorerStatus, Journey, JourneyList } from './schema.ts'
import { streamJourneys } from './stream.ts'

export interface ApiOptions {
  readonly store: SpanStore
  readonly live: Live
  readonly retention: Retention
  readonly version: string
  readonly otlpHttp: () => string | null
  /** Sent with every answer. */
  readonly headers: Readonly<Record<string, string>>
}

const maxTraceSpans = 50_000
const limit = (fallback: number) => z.coerce.number().int().min(1).max(200).default(fallback)
const listQuery = z.object({ limit: limit(50), before: z.string().max(4_096).optional() })
const searchQuery = z.object({ q: z.string().trim().min(1).max(512), limit: limit(50) })
const journeyQuery = z.object({ source: z.string().max(1_024).optional() })
const idParams = z.object({ id: z.string().min(1).max(1_024) })
const traceParams = z.object({ traceId: z.string().max(64) })

/** The HTTP API, as `schema.ts` describes it. */
export function apiRoutes(app: FastifyInstance, options: ApiOptions): void {
  const { store, live, retention, version, otlpHttp, headers } = options

  app.get('/api/journeys', async (request): Promise<JourneyList> => {
    const { limit, before } = listQuery.parse(request.query)
    return recentJourneys(store, before ?? null, limit)
  })

  app.get('/api/journeys/stream', (_request, reply) => {
    reply.hijack()
    streamJourneys(live, reply.raw, headers)
  })

  app.get('/api/journeys/:id', async (request, reply): Promise<Journey | undefined> => {
    const { id } = idParams.parse(request.params)
    const { source } = journeyQuery.parse(request.query)
    const journey = findJourney(store, id, source ?? null)
    if (journey) return journey
    return sendProblem(
      reply,
      404,
      'TL_JOURNEY_NOT_FOUND',
      `nothing is known of "${id}": no event, trace or span has this id. It may not have been exported yet, or be older than what is kept.`,
    )
  })

  app.get('/api/search', async (request): Promise<JourneyList> => {
    const { q, limit } = searchQuery.parse(request.query)
    return searchJourneys(store, q, limit)
  })

  app.get('/api/status', async (): Promise<ExplorerStatus> => {
    const { spanCount, bytes, oldestUnixMs } = store.stats()
    const oldestUnixNanos = oldestUnixMs === null ? null : String(BigInt(oldestUnixMs) * 1_000_000n)
    return { version, spanCount, bytes, oldestUnixNanos, retention, otlpHttp: otlpHttp() }
  })

  // Jaeger's own answers, errors included, for the programs that read them.
  app.get('/api/traces/:traceId', async (request, reply) => {
    const { traceId } = traceParams.parse(request.params)
    const fail = (code: number, msg: string) =>
      reply
        .code(code)
        .header('content-type', 'text/plain; charset=utf-8')
        .send(bodyOf(jaegerAnswer(null, { code, msg })))
    // Older clients strip leading zeros.
    if (!/^[0-9a-f]{16,32}$/i.test(traceId)) return fail(400, 'invalid length for TraceID')
    const id = traceId.toLowerCase().padStart(32, '0')
    const spans = store.byTrace(id, maxTraceSpans).map(({ span }) => span)
    if (spans.length === 0) return fail(404, 'trace not found')
    return reply
      .header('content-type', 'application/json')
      .send(bodyOf(jaegerAnswer([jaegerTrace(id, spans)])))
  })
}

/** As bytes: to text Fastify adds a charset, which Jaeger does not send. */
const bodyOf = (answer: unknown): Buffer => Buffer.from(JSON.stringify(answer))
