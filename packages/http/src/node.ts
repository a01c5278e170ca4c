import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Header } from '@throughline/core'
import { type Answer, answerBody, answerHeaders } from './answer.ts'
import { readBody } from './body.ts'
import { messageHeaders, readFieldValue } from './headers.ts'
import type { Incoming } from './incoming.ts'

const LINGER_MS = 1000
const LINGER_BYTES = 4 * 1024 * 1024
const KEPT_BODY_BYTES = 64 * 1024

/** A request of node:http's server, or of a framework over it. */
export function nodeIncoming(request: IncomingMessage, response: ServerResponse): Incoming {
  return new NodeIncoming(request, response)
}

/** A class for the sake of its getters and methods: a literal would make each of them again for every request. */
class NodeIncoming implements Incoming {
  readonly #request: IncomingMessage
  readonly #response: ServerResponse
  constructor(request: IncomingMessage, response: ServerResponse) {
    this.#request = request
    this.#response = response
  }

  get method(): string {
    return this.#request.method ?? ''
  }

  get query(): string {
    return /\?([^#]*)/.exec(this.#request.url ?? '')?.[1] ?? ''
  }

  headers(): Header[] {
    return messageHeaders(this.#request.rawHeaders)
  }

  header(name: string): string | undefined {
    const value = this.#request.headers[name]
    const text = Array.isArray(value) ? value.join(', ') : value
    return text === undefined ? undefined : readFieldValue(text)
  }

  get clientAddress(): string | undefined {
    return this.#request.socket.remoteAddress
  }

  body(limitBytes: number): Promise<Uint8Array> {
    return readBody(this.#request, limitBytes)
  }

  answer(what: Answer, close: boolean): void {
    writeAnswer(this.#request, this.#response, what, close)
  }

  /** A connection is kept only where little is left to read; a caller that announces no length, or a great one, is not listened to. */
  refuse(what: Answer): void {
    const { headers } = this.#request
    const chunked = headers['transfer-encoding'] !== undefined
    const length = Number(headers['content-length'] ?? 0)
    this.answer(what, chunked || !(length <= KEPT_BODY_BYTES))
  }

  onEnd(listener: () => void): void {
    this.#response.on('close', listener)
  }
}

/**
 * Writes the one answer of a request; a second one is ignored. `close` ends the connection after it. A body that is
 * still arriving and will not be read makes the end wait a little: closing under unread bytes resets the connection,
 * and the caller would never see its answer.
 */
function writeAnswer(request: IncomingMessage, response: ServerResponse, answer: Answer, close: boolean) {
  if (response.headersSent || response.destroyed) return
  const body = answerBody(answer)
  const headers = answerHeaders(answer)
  if (body !== '') headers['content-length'] = String(Buffer.byteLength(body))
  // HTTP/2 has no such header.
  if (close && request.httpVersionMajor < 2) headers.connection = 'close'
  response.writeHead(answer.status, headers)
  if (request.complete || !close) {
    response.end(body)
    return
  }
  response.write(body)
  linger(request, () => response.end())
}

function linger(request: IncomingMessage, done: () => void): void {
  let seen = 0
  const timer = setTimeout(done, LINGER_MS)
  const finish = () => {
    clearTimeout(timer)
    done()
  }
  request.once('close', finish)
  request.on('data', (chunk: Uint8Array) => {
    seen += chunk.length
    if (seen > LINGER_BYTES) finish()
  })
  request.on('error', () => {})
  request.resume()
}
