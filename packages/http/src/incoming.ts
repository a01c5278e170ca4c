import type { Header } from '@throughline/core'
import type { Answer } from './answer.ts'

/** One request and the way to answer it, whatever server it came through. */
export interface Incoming {
  readonly method: string
  /** The query of its target, without the question mark. */
  readonly query: string
  /** In order, as text; `content-type` is the message's own and not among them. */
  headers(): Header[]
  /** One header's value, by its name in lower case. */
  header(name: string): string | undefined
  readonly clientAddress: string | undefined
  /**
   * Reads the body. Rejects with TooLargeError as soon as it is over the limit, the rest unread, with BodyUsedError when
   * somebody has read it before, and with the stream's error when the caller goes away.
   */
  body(limitBytes: number): Promise<Uint8Array>
  /** The one answer; a second one is ignored. `close` ends the connection after it, where the server lets us. */
  answer(answer: Answer, close: boolean): void
  /** The same where the body has not been read. */
  refuse(answer: Answer): void
  /** `listener` is called once when the connection has ended or the caller has gone, after an answer too. */
  onEnd(listener: () => void): void
}

/** Where a subscriber's requests come from: the transport's own server, or a handler in somebody else's. */
export interface Mount {
  /** Throws ThroughlineError: TL_PORT_TAKEN, TL_PATH_TAKEN and others. */
  attach(endpoint: Endpoint): Promise<void>
  detach(endpoint: Endpoint): Promise<void>
  /** `server.address` and `server.port`, where they are known. */
  attributes(): Readonly<Record<string, string | number>>
}

/** One path of a server. */
export interface Endpoint {
  readonly path: string
  handle(incoming: Incoming): void
}
