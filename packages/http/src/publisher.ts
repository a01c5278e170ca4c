import { context, createContextKey, ROOT_CONTEXT } from '@opentelemetry/api'
import {
  errorMessage,
  type Header,
  type Message,
  PermanentError,
  type Publisher,
  type PublishResult,
  ThroughlineError,
  UnavailableError,
} from '@throughline/core'
import { batchOf } from './batch.ts'
import { type ClientOptions, createClient, RequestFailedError } from './client.ts'
import { gather, type Run, single } from './gather.ts'
import { isConnectionHeader, isHeaderName, requestHeaders } from './headers.ts'
import { createLanes } from './lanes.ts'
import { answersOf } from './response.ts'
import { type RetryOptions, sendWithRetry, type Tried } from './retry.ts'
import { parseTarget, resolveTarget, type Target } from './target.ts'

/** Where events are posted, and how. */
export interface HttpPublisherOptions extends ClientOptions {
  /** Where events are posted: an `http:` or `https:` URL. User info in it becomes Basic authorization and is never logged. */
  readonly url: string
  /** Headers of every request; a message's own header of the same name goes before. */
  readonly headers?: Readonly<Record<string, string>>
  /**
   * How long a message is tried until it is answered with UnavailableError, waiting for a free connection and the pauses
   * between requests included, milliseconds; default 30 000.
   */
  readonly timeoutMs?: number
  /** Sends again what was answered 408, 425, 429 or 5xx, and what found no connection; `false`: neither, a kept connection that the server had closed apart. Default true. */
  readonly retry?: RetryOptions | boolean
  /** Batched mode: events in one request at most; default 100. */
  readonly maxBatchMessages?: number
  /** Batched mode: bytes of one request's events at most; default 1 MiB. An event that is larger goes alone. */
  readonly maxBatchBytes?: number
  /** Aborted, it ends all requests and pauses: their messages are answered with UnavailableError. */
  readonly signal?: AbortSignal
}

/** `batched` sends structured events of one call together; `http()` sets it for mode `batched`. */
export type BatchedOptions = HttpPublisherOptions & { readonly batched?: boolean }

const DEFAULT_TIMEOUT_MS = 30_000
const NO_BODY = new Uint8Array()

/**
 * The context of our calls: OpenTelemetry's suppress-tracing key, by its public name, so that instrumentations of HTTP
 * make no span of their own and add no second `traceparent`. The root, so that a pooled connection keeps no caller's context.
 */
const SUPPRESSED = ROOT_CONTEXT.setValue(
  createContextKey('OpenTelemetry SDK Context Key SUPPRESS_TRACING'),
  true,
)

/**
 * Posts messages over kept-alive connections, one a request, or in batches. 2xx is the confirmation; 408, 425, 429, 5xx
 * and a lost connection are UnavailableError, after `retry`; every other answer is PermanentError. Messages of one key are
 * sent one after the other. Throws PermanentError when an option is not valid.
 */
export function httpPublisher(options: BatchedOptions): Publisher {
  const { method = 'POST', timeoutMs = DEFAULT_TIMEOUT_MS, retry = true, batched = false, signal } = options
  const { maxBatchMessages = 100, maxBatchBytes = 1024 * 1024 } = options
  const target = parseTarget(options.url)
  const client = createClient(target.url.protocol === 'https:', options)
  const defaults: Header[] = Object.entries({
    'user-agent': 'throughline',
    // Webhooks 1.0 §3.2: the answer must not be kept under an address that has a token.
    ...(target.url.searchParams.has('access_token') ? { 'cache-control': 'no-store' } : {}),
    ...(target.authorization === undefined ? {} : { authorization: target.authorization }),
    ...optionHeaders(options.headers ?? {}),
  })
  const lanes = createLanes<readonly PublishResult[]>()
  const inFlight = new Set<Promise<unknown>>()
  const closing = new AbortController()
  const stopped = signal === undefined ? closing.signal : AbortSignal.any([closing.signal, signal])
  const retrying = { retry, timeoutMs, stopped }
  const limits = { maxMessages: maxBatchMessages, maxBytes: maxBatchBytes }

  /** One request, for as many messages as share it. Never rejects. */
  async function send(
    messages: readonly Message[],
    sent: Message,
    limitMs: number,
  ): Promise<readonly Tried[]> {
    let to = target
    try {
      if (sent.destination !== undefined) to = resolveTarget(target, sent.destination)
      const headers = requestHeaders(sent, defaults)
      const body = sent.body ?? NO_BODY
      const response = await context.with(SUPPRESSED, client.request, undefined, to, headers, body, limitMs)
      return await answersOf(response, messages.length, to.name)
    } catch (error) {
      const tried = failed(error, to)
      return messages.map(() => tried)
    }
  }

  function failed(error: unknown, to: Target): Tried {
    if (error instanceof RequestFailedError) {
      const text =
        error.progress === 'late'
          ? `no answer from ${to.name} within ${timeoutMs} ms`
          : `cannot reach ${to.name}: ${error.message}`
      const unavailable = new UnavailableError(text, { cause: error })
      return { result: { ok: false, error: unavailable }, again: AGAIN[error.progress] }
    }
    // Nothing that is known to be a message's own fault: node:http refused it, or a fault of ours.
    const fault =
      error instanceof ThroughlineError ? error : new PermanentError(errorMessage(error), { cause: error })
    return { result: { ok: false, error: fault }, again: 'never' }
  }

  function sendRun(
    { messages, isBatch }: Run,
    hop: readonly Header[],
    calledMs: number,
  ): Promise<readonly PublishResult[]> {
    const one = (left: readonly Message[], limitMs: number) =>
      send(left, isBatch ? batchOf(left, hop) : messages[0], limitMs)
    return lanes.run(keysOf(messages), (before) => {
      // Or a server that is silent would hold up a queue of one key for as long as it is, times the time of each.
      if (before.some(isStuck) && performance.now() - calledMs >= timeoutMs) return late(messages)
      return sendWithRetry(messages, one, retrying)
    })
  }

  async function publish(
    messages: readonly Message[],
    hop: readonly Header[] = [],
  ): Promise<readonly PublishResult[]> {
    if (closing.signal.aborted) {
      const error = new UnavailableError('the publisher is closed')
      return messages.map(() => ({ ok: false, error }))
    }
    const runs = batched ? gather(messages, limits) : messages.map(single)
    const calledMs = performance.now()
    const sent = runs.map((run) => sendRun(run, hop, calledMs))
    const [first] = sent
    // Most calls have one message, and what joins promises costs several.
    const results = sent.length === 1 && first !== undefined ? first : joined(sent)
    inFlight.add(results)
    try {
      return await results
    } finally {
      inFlight.delete(results)
    }
  }

  async function late(messages: readonly Message[]): Promise<readonly PublishResult[]> {
    const text = `not sent within ${timeoutMs} ms: the one of its key before it had no answer`
    return messages.map(() => ({ ok: false, error: new UnavailableError(text) }))
  }

  return {
    destination: target.url.pathname,
    attributes: { ...target.attributes, 'http.request.method': method },
    /** HTTP has no connection to make beforehand: each request makes or takes its own. */
    open: async () => {},
    publish,
    async close() {
      closing.abort()
      await Promise.all(inFlight)
      client.close()
    },
  }
}

/** A stale connection tells nothing of the server. What may have been received is not sent twice without need. */
const AGAIN = {
  stale: 'at once',
  unsent: 'later',
  late: 'never',
  aborted: 'never',
  unknown: 'never',
} as const

async function joined(sent: readonly Promise<readonly PublishResult[]>[]): Promise<readonly PublishResult[]> {
  return (await Promise.all(sent)).flat()
}

function isStuck(results: readonly PublishResult[] = []): boolean {
  return results.some((result) => !result.ok && result.error instanceof UnavailableError)
}

function keysOf(messages: readonly Message[]): readonly (string | Uint8Array)[] {
  return messages.flatMap(({ key }) => key ?? [])
}

/** Names in lower case, so that they replace defaults. Throws PermanentError for one that is not the user's to set. */
function optionHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => {
      if (!isHeaderName(name) || isConnectionHeader(name)) {
        throw new PermanentError(`headers: ${JSON.stringify(name)} cannot be set`, {
          code: 'TL_HEADER_INVALID',
        })
      }
      return [name.toLowerCase(), value]
    }),
  )
}
