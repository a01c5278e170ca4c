import { setTimeout as delay } from 'node:timers/promises'
import {
  backoffMs,
  type EventPublisher,
  errorMessage,
  type Problem,
  StoppedError,
  type Subscription,
  ThroughlineError,
  UnavailableError,
} from '@throughline/core'
import { UNKNOWN_TOPIC_CODE } from '@throughline/kafka'
import { TAKEN_OVER_CODE } from '@throughline/mqtt'
import { NOT_FOUND_CODE, UNROUTABLE_CODE } from '@throughline/rabbitmq'
import { destinationOf, type RouteConfig } from './config/config.ts'
import type { Connection, SourceHandler } from './connection.ts'
import { createForward, headerRules } from './forward.ts'
import { deadLetterPublisher } from './letter.ts'
import type { Log } from './log.ts'
import { createOutage } from './outage.ts'
import { createReport } from './report.ts'
import { isStatic, spanNameOf } from './template.ts'

/** How a route does, for people and probes. */
export interface RouteStatus {
  readonly name: string
  /** `from kafka sensor-readings to mqtt alerts/{event.subject}` */
  readonly path: string
  readonly state: 'connecting' | 'running' | 'closing' | 'closed' | 'stopped' | 'failed'
  /** Reads its source and, as far as is known, can publish to its target. */
  readonly ready: boolean
  readonly source: 'connected' | 'away'
  readonly target: 'connected' | 'away'
  /** Why it stopped or failed, with the position it stopped at. */
  readonly reason?: string
  readonly forwarded: number
  readonly retried: number
  readonly deadLettered: number
  readonly dropped: number
  readonly rejected: number
}

export interface Route {
  readonly name: string
  status(): RouteStatus
  /** Resolves when it was closed or has stopped at an event; rejects when it cannot work at all (a taken port). */
  readonly closed: Promise<void>
  /** Stops reading, waits for what is in flight, settles it, then disconnects its publishers. Idempotent. */
  close(graceMs: number): Promise<void>
}

export interface RouteSetting {
  readonly route: RouteConfig
  readonly source: Connection
  readonly target: Connection
  readonly deadLetter?: Connection
  readonly log: Log
}

const RECONNECT = { minMs: 200, maxMs: 10_000 }
const COUNTED: Readonly<
  Partial<Record<Problem['kind'], 'retried' | 'deadLettered' | 'dropped' | 'rejected'>>
> = {
  retry: 'retried',
  'dead-lettered': 'deadLettered',
  dropped: 'dropped',
  rejected: 'rejected',
}

/** Runs one route until it is closed: nothing is accepted at the source before the target has confirmed it. */
export function startRoute({ route, source, target, deadLetter, log }: RouteSetting): Route {
  const { name, from, to } = route
  const label = `route ${name}`
  const path = `from ${source.system} ${placesOf(from)} to ${target.system} ${spanNameOf(destinationOf(to))}`
  const counts = { forwarded: 0, retried: 0, deadLettered: 0, dropped: 0, rejected: 0 }
  const closing = new AbortController()
  const report = createReport(log, label, createOutage(log, `${label}: source ${source.place}`))
  const targetOutage = createOutage(log, `${label}: target ${target.place}`)
  const warned = new Set<string>()
  /** Rejected when the target turns out not to work at all after it did. */
  const unworkable = Promise.withResolvers<never>()
  unworkable.promise.catch(() => undefined)
  let state: RouteStatus['state'] = 'connecting'
  let reason: string | undefined
  let sourceConnected = false
  let targetConnected = false
  let subscription: Subscription | null = null

  const publisher = target.publisher(to, {
    mode: to.mode,
    template: spanNameOf(destinationOf(to)),
    propagate: route.trace.propagate ?? defaultPropagation(route),
    ...(from.transport === 'http' ? { timeoutMs: from.timeout } : {}),
  })
  const letters = openDeadLetter()
  const forward = createForward({ route, source, target, onDropped: warnDropped })
  const handler: SourceHandler = from.raw
    ? { raw: true, run: (_, handling) => send(handling, undefined) }
    : { raw: false, run: (event, handling) => send(handling, event) }

  async function send(
    {
      delivery,
      context,
    }: { delivery: Parameters<typeof forward>[1]; context: Parameters<typeof forward>[2] },
    event: Parameters<typeof forward>[0],
  ): Promise<void> {
    const [result] = await publisher.publishMessages([forward(event, delivery, context)])
    if (result === undefined) throw new UnavailableError(`${target.place} gave no answer`)
    if (!result.ok) throw await faultOf(result.error)
    counts.forwarded++
    targetConnected = true
    targetOutage.up()
  }

  /**
   * Whose fault a failed publish is. A connection that can no longer be opened is not the event's: neither a revoked
   * password nor a client id that another process took may turn everything that comes into dead letters.
   */
  async function faultOf(error: ThroughlineError): Promise<ThroughlineError> {
    let fault = error
    if (isMissing(error) && isStatic(destinationOf(to))) {
      // What the configuration names is missing: whoever runs the bridge creates it, and nothing is lost.
      fault = new UnavailableError(error.message, { cause: error, code: error.code })
    } else if (error.code === TAKEN_OVER_CODE) {
      unworkable.reject(error)
    } else if (!(error instanceof UnavailableError)) {
      const refused = await publisher.open().then(() => null, asError)
      // Too large, refused by its receiver: the event's own.
      if (refused === null) return error
      if (!(refused instanceof UnavailableError)) unworkable.reject(refused)
      fault = new UnavailableError(errorMessage(refused), { cause: refused })
    }
    targetConnected = false
    targetOutage.down(fault)
    return fault
  }

  function openDeadLetter() {
    if (route.deadLetter === undefined || deadLetter === undefined) return undefined
    const opened = deadLetter.publisher(route.deadLetter, {})
    const rules = { ...headerRules(route, source.system, deadLetter.system) }
    return {
      opened,
      options: {
        publisher: deadLetterPublisher({ publisher: opened, source, target: deadLetter, rules }),
        route: name,
      },
    }
  }

  function warnDropped(names: readonly string[]): void {
    for (const header of names) {
      if (warned.has(header) || warned.size >= 100) continue
      warned.add(header)
      log.warn(
        `${label}: ${target.system} cannot carry the header ${JSON.stringify(header.slice(0, 64))}; it is left out`,
      )
    }
  }

  /** Connects a publisher and says so, trying until it succeeds. */
  async function connectTarget(opening: EventPublisher): Promise<void> {
    for (let failures = 0; !closing.signal.aborted; ) {
      try {
        await opening.open()
        targetConnected = true
        targetOutage.up()
        return
      } catch (error) {
        if (closing.signal.aborted) return
        if (!(error instanceof UnavailableError)) throw error
        targetOutage.down(error)
        await delay(backoffMs(++failures, RECONNECT), undefined, { signal: closing.signal }).catch(
          () => undefined,
        )
      }
    }
  }

  /** Reads the source until it is closed or stops. A queue or topic that is not there yet, or no longer, is waited for. */
  async function connectSource(): Promise<void> {
    for (let failures = 0; ; failures++) {
      const error = await readSource().then(() => null, asError)
      if (error === null || closing.signal.aborted) return
      if (!isMissing(error)) throw error
      const retryMs = backoffMs(failures + 1, RECONNECT)
      onProblem({ kind: 'disconnected', error, retryMs })
      await delay(retryMs, undefined, { signal: closing.signal }).catch(() => undefined)
      if (closing.signal.aborted) return
    }
  }

  async function readSource(): Promise<void> {
    const { trust, linkage } = route.trace
    subscription = await source.subscribe(
      from,
      {
        route: name,
        rejected: route.rejected,
        signal: closing.signal,
        retry: { attempts: route.retry.attempts, ...route.retry.backoff },
        onExhausted: route.onExhausted,
        trust,
        linkage,
        onProblem,
        ...(letters === undefined ? {} : { deadLetter: letters.options }),
      },
      handler,
    )
    if (state === 'connecting') state = 'running'
    log.info(`${label}: running ${path}`, { source: source.place, target: target.place })
    await subscription.closed
  }

  function onProblem(problem: Problem): void {
    if (problem.kind === 'connected') sourceConnected = true
    if (problem.kind === 'disconnected') sourceConnected = false
    const counted = COUNTED[problem.kind]
    if (counted !== undefined) counts[counted]++
    report(problem)
  }

  async function run(): Promise<void> {
    try {
      await Promise.race([Promise.all([connectSource(), connectTarget(publisher)]), unworkable.promise])
    } catch (error) {
      if (closing.signal.aborted) return
      reason = errorMessage(error)
      if (error instanceof StoppedError) {
        state = 'stopped'
        log.error(
          `${label} ${reason}; nothing was lost: mend the cause and start again, or write deadLetter or onExhausted: drop`,
        )
        return
      }
      state = 'failed'
      log.error(`${label}: ${reason}`)
      throw error
    } finally {
      sourceConnected = false
    }
  }

  const closed = run()
  // Whoever started it looks at `closed`; until then a failure must not end the process.
  closed.catch(() => undefined)
  let ending: Promise<void> | null = null

  async function end(graceMs: number): Promise<void> {
    if (state === 'connecting' || state === 'running') state = 'closing'
    await subscription?.close({ graceMs })
    closing.abort()
    await closed.catch(() => undefined)
    await Promise.all([publisher.close(), letters?.opened.close()])
    if (state === 'closing') state = 'closed'
  }

  return {
    name,
    closed,
    status: () => ({
      name,
      path,
      state,
      ready: state === 'running' && sourceConnected && targetConnected,
      source: sourceConnected ? 'connected' : 'away',
      target: targetConnected ? 'connected' : 'away',
      ...(reason === undefined ? {} : { reason }),
      ...counts,
    }),
    close(graceMs) {
      ending ??= end(graceMs)
      return ending
    },
  }
}

/** No such topic, exchange, or queue that takes the message. */
function isMissing(error: Error): boolean {
  if (!(error instanceof ThroughlineError)) return false
  return [UNKNOWN_TOPIC_CODE, NOT_FOUND_CODE, UNROUTABLE_CODE].includes(error.code)
}

function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown))
}

function placesOf(from: RouteConfig['from']): string {
  if (from.transport === 'http') return from.path
  return from.transport === 'rabbitmq' ? from.queue : from.topics.join(', ')
}

/** Baggage is for one's own side: an HTTP server beyond this machine gets the trace alone. */
function defaultPropagation({ to }: RouteConfig): 'all' | 'trace' {
  if (to.transport !== 'http') return 'all'
  return /^https?:\/\/(?:localhost|127(?:\.\d+){3}|\[::1\])(?:[:/?]|$)/i.test(to.url.source) ? 'all' : 'trace'
}
