import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Answer, answerBody, answerHeaders } from './answer.ts'
import { readBody } from './body.ts'
import { messageHeaders, readFieldValue } from './headers.ts'
import type { Incoming } from './incoming.ts'

const LINGER_MS = 1000
const LINGER_BYTES = 4 * 1024 * 1024
const KEPT_BODY_BYTES = 64 * 1024

/** A request of node:http's server, or of a framework over it. */
export function nodeIncoming(request: IncomingMessage, response: ServerResponse): Incoming {
  const answer = (what: Answer, close: boolean) => writeAnswer(request, response, what, close)
  return {
    method: request.method ?? '',
    get query() {
      return /\?([^#]*)/.exec(request.url ?? '')?.[1] ?? ''
    },
    headers: () => messageHeaders(request.rawHeaders),
    header(name) {
      const value = request.headers[name]
      const text = Array.isArray(value) ? value.join(', ') : value
      return text === undefined ? undefined : readFieldValue(text)
    },
    clientAddress: request.socket.remoteAddress,
    body: (limitBytes) => readBody(request, limitBytes),
    answer,
    /** A connection is kept only where little is left to read; a caller that announces no length, or a great one, is not listened to. */
    refuse(what) {
      const chunked = request.headers['transfer-encoding'] !== undefined
      const length = Number(request.headers['content-length'] ?? 0)
      answer(what, chunked || !(length <= KEPT_BODY_BYTES))
    },
    onEnd: (listener) => void response.once('close', listener),
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
  response.writeHead(answer.status, {
    ...answerHeaders(answer),
    ...(body === '' ? {} : { 'content-length': String(Buffer.byteLength(body)) }),
    // HTTP/2 has no such header.
    ...(close && request.httpVersionMajor < 2 ? { connection: 'close' } : {}),
  })
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
