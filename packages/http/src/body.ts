import type { IncomingMessage } from 'node:http'
import { TooLargeError, UnavailableError } from '@throughline/core'

/** A body parser before the handler has taken the body: nobody can know any more what was sent. */
export class BodyUsedError extends UnavailableError {
  constructor() {
    super('the body was read before it reached the handler; mount it before any body parser', {
      code: 'TL_BODY_USED',
    })
  }
}

/**
 * Reads a request's body. Rejects with TooLargeError as soon as it is over the limit, the rest unread, and with the
 * stream's error when the caller goes away. Listens instead of iterating: leaving an iteration would end the connection
 * before the answer.
 */
export function readBody(request: IncomingMessage, limitBytes: number): Promise<Uint8Array> {
  if (request.readableEnded) return Promise.reject(new BodyUsedError())
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = []
    let size = 0
    let ended = false
    const onData = (chunk: Uint8Array) => {
      size += chunk.length
      if (size > limitBytes) {
        request.off('data', onData).pause()
        reject(new TooLargeError(limitBytes))
      } else chunks.push(chunk)
    }
    request.on('data', onData)
    request.on('end', () => {
      ended = true
      resolve(joined(chunks, size))
    })
    request.on('error', reject)
    // Every request closes: an error is made, with its stack, only where it is one.
    request.on('close', () => {
      if (!ended) reject(new Error('the caller went away'))
    })
  })
}

/** The same of a stream of the web's kind. What is left of it is for the caller to cancel. */
export async function readStream(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  limitBytes: number,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let size = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return joined(chunks, size)
    size += value.byteLength
    if (size > limitBytes) throw new TooLargeError(limitBytes)
    chunks.push(value)
  }
}

function joined(chunks: readonly Uint8Array[], size: number): Uint8Array {
  const [first = EMPTY] = chunks
  return chunks.length <= 1 ? first : Buffer.concat(chunks, size)
}

const EMPTY = new Uint8Array()
