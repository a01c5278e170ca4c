import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { PlainSpan } from '@throughline/testkit'

/** What a receiver has got. */
export interface Received {
  /** Decoded from the bytes as they came. */
  readonly spans: readonly PlainSpan[]
  /** Paths of the requests: `/v1/traces`, `/v1/metrics`. */
  readonly paths: readonly string[]
}

/** An OTLP receiver in a process of its own, which ends with this one. */
export interface Receiver {
  /** For `OTEL_EXPORTER_OTLP_ENDPOINT`. */
  readonly url: string
  received(): Promise<Received>
  reset(): Promise<void>
}

export async function startReceiver(): Promise<Receiver> {
  const child = fork(join(import.meta.dirname, 'receiver-process.ts'), { serialization: 'advanced' })
  const { url } = (await messageOf(child)) as { readonly url: string }
  // It is not waited for at the end: it ends when its channel does.
  child.unref()
  child.channel?.unref()

  async function ask(question: 'received' | 'reset'): Promise<unknown> {
    child.channel?.ref()
    child.send(question)
    try {
      return await messageOf(child)
    } finally {
      child.channel?.unref()
    }
  }
  return {
    url,
    received: async () => (await ask('received')) as Received,
    reset: async () => void (await ask('reset')),
  }
}

async function messageOf(child: ChildProcess): Promise<unknown> {
  const ended = new AbortController()
  const exit = once(child, 'exit', { signal: ended.signal })
  try {
    const [message] = await Promise.race([
      once(child, 'message', { signal: ended.signal }),
      exit.then(([code]) => {
        throw new Error(`the receiver ended with ${code}`)
      }),
    ])
    return message
  } finally {
    exit.catch(() => {})
    ended.abort()
  }
}
