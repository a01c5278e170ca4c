import type { PublishResult } from './contract.ts'
import { asFault, ThroughlineError } from './errors.ts'
import type { Message } from './message.ts'

/** Messages as a driver sends them, in their order; one that cannot be sent is the error that says why. */
export function prepareEach<Outgoing>(
  messages: readonly Message[],
  prepare: (message: Message) => Outgoing,
): readonly (Outgoing | ThroughlineError)[] {
  return messages.map((message) => {
    try {
      return prepare(message)
    } catch (error) {
      return asFault(error)
    }
  })
}

/** The answers where none of them could be sent: each its own error, else this one. */
export function noneSent(prepared: readonly unknown[], error: ThroughlineError): readonly PublishResult[] {
  return prepared.map((each) => ({ ok: false, error: each instanceof ThroughlineError ? each : error }))
}

/** Calls that have not ended, for a `close` that waits for them. */
export interface OpenCalls {
  /** Counts the call until it ends, and gives it back. */
  add<T>(call: Promise<T>): Promise<T>
  /** Resolves when none is open any more, however they ended. */
  ended(): Promise<void>
}

/** None yet. */
export function createOpenCalls(): OpenCalls {
  // A number, not a Set of promises: linked-list.ts says what a Set costs where thousands come and go.
  let open = 0
  let whenEnded = Promise.withResolvers<void>()
  function end(): void {
    if (--open > 0) return
    whenEnded.resolve()
    whenEnded = Promise.withResolvers()
  }
  return {
    add(call) {
      open++
      // Not `finally`, whose promises and closures take longer than all else of publishing a message does here.
      call.then(end, end)
      return call
    },
    ended: () => (open === 0 ? Promise.resolve() : whenEnded.promise),
  }
}

/** A body as drivers take it: a view, not a copy; empty where there is none. */
export function bufferOf(body: Uint8Array | null): Buffer {
  return body === null ? Buffer.alloc(0) : Buffer.from(body.buffer, body.byteOffset, body.byteLength)
}
