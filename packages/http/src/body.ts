import type { IncomingMessage } from 'node:http'
import { TooLargeError } from '@throughline/core'

/**
 * Reads a request's body. Rejects with TooLargeError as soon as it is over the limit, the rest unread, and with the
 * stream's error when the caller goes away. Listens instead of iterating: leaving an iteration would end the connection
 * before the answer.
 */
export function readBody(request: IncomingMessage, limitBytes: number): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = []
    let size = 0
    const onData = (chunk: Uint8Array) => {
      size += chunk.length
      if (size > limitBytes) {
        request.off('data', onData).pause()
        reject(new TooLargeError(limitBytes))
      } else chunks.push(chunk)
    }
    request.on('data', onData)
    request.once('end', () =>
      resolve(chunks.length === 1 ? (chunks[0] ?? EMPTY) : Buffer.concat(chunks, size)),
    )
    request.once('error', reject)
    request.once('close', () => reject(new Error('the caller went away')))
  })
}

const EMPTY = new Uint8Array()
