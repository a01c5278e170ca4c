import { Writable } from 'node:stream'
import { PermanentError } from '@throughline/core'
import type { AsyncMessage, Channel, ReturnedMessage } from 'rabbitmq-client'

/** The one file that touches private members of rabbitmq-client: see RATIONALE.md. */

const CONTENT_TYPE = Symbol('throughline.rabbitmq.contentType')

interface HeaderFrame {
  readonly fields: { contentType?: string; [CONTENT_TYPE]?: string }
}

/**
 * Makes a channel leave bodies as bytes. To be called before anything is consumed or published on it. The driver hands over
 * bodies of `application/json` and `text/plain` as values, parsed and decoded: their bytes would be lost.
 */
export function keepBodies(channel: Channel): void {
  const original: unknown = Reflect.get(channel, '_onHeader')
  if (typeof original !== 'function') throw bypassed()
  Reflect.set(channel, '_onHeader', (frame: HeaderFrame) => {
    const { contentType, ...fields } = frame.fields
    // The driver goes by this field; symbols are copied to the message with all others.
    const kept = contentType === undefined ? fields : { ...fields, [CONTENT_TYPE]: contentType }
    return Reflect.apply(original, channel, [{ ...frame, fields: kept }])
  })
}

/** The content type that `keepBodies` set aside. Throws PermanentError for a body that did not come through it. */
export function contentTypeOf(message: AsyncMessage | ReturnedMessage): string | undefined {
  if (!Buffer.isBuffer(message.body) || message.contentType !== undefined) throw bypassed()
  const kept: unknown = Reflect.get(message, CONTENT_TYPE)
  return typeof kept === 'string' ? kept : undefined
}

/** The longest frame that broker and client agreed on; undefined where the driver does not say. */
export function negotiatedFrameMax(connection: object): number | undefined {
  const state: unknown = Reflect.get(connection, '_state')
  if (typeof state !== 'object' || state === null) return undefined
  const frameMax: unknown = Reflect.get(state, 'frameMax')
  return typeof frameMax === 'number' ? frameMax : undefined
}

/**
 * Gathers what the connection writes until the microtasks of this turn are done into one system call; the driver makes one
 * a message. Does nothing where the driver keeps its socket elsewhere.
 */
export function writeGatherer(connection: object): () => void {
  const socket: unknown = Reflect.get(connection, '_socket')
  return socket instanceof Writable ? gathererOf(socket) : () => undefined
}

function gathererOf(socket: Writable): () => void {
  let isGathering = false
  function release(): void {
    isGathering = false
    socket.uncork()
  }
  function gather(): void {
    if (isGathering) return
    isGathering = true
    socket.cork()
    process.nextTick(release)
  }
  // A full socket stops the driver, which goes on when it is empty: from there on messages go out together too.
  socket.on('drain', gather)
  return gather
}

function bypassed(): PermanentError {
  return new PermanentError(
    'rabbitmq-client handed a message over without its bytes: this version of it is not supported',
    { code: 'TL_RABBITMQ_BODY' },
  )
}
