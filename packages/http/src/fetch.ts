import { type Answer, answerBody, answerHeaders } from './answer.ts'
import { BodyUsedError, readStream } from './body.ts'
import { fieldHeaders, readFieldValue } from './headers.ts'
import type { Incoming } from './incoming.ts'

/** A request of the Fetch standard, and the response that its answer becomes. `response` never rejects. */
export function fetchIncoming(request: Request): { incoming: Incoming; response: Promise<Response> } {
  const { promise, resolve } = Promise.withResolvers<Response>()
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined
  let answered = false

  function answer(what: Answer): void {
    if (answered) return
    answered = true
    const body = answerBody(what)
    resolve(new Response(body === '' ? null : body, { status: what.status, headers: answerHeaders(what) }))
    // Whoever waits for the rest of a body that nobody reads would wait for ever. After the answer: ending a stream may end its connection.
    if (reader !== undefined) void promise.then(() => reader?.cancel()).catch(() => undefined)
  }

  const incoming: Incoming = {
    method: request.method,
    get query() {
      return new URL(request.url).search.slice(1)
    },
    headers: () => fieldHeaders(request.headers),
    header(name) {
      const value = request.headers.get(name)
      return value === null ? undefined : readFieldValue(value)
    },
    clientAddress: undefined,
    async body(limitBytes) {
      if (request.bodyUsed || request.body?.locked) throw new BodyUsedError()
      if (request.body === null) return new Uint8Array()
      reader = request.body.getReader()
      const bytes = await readStream(reader, limitBytes)
      reader = undefined
      return bytes
    },
    answer,
    refuse: answer,
    onEnd(listener) {
      if (request.signal.aborted) listener()
      else request.signal.addEventListener('abort', listener, { once: true })
    },
  }
  return { incoming, response: promise }
}
