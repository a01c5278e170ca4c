import { type Child, startChild } from '../child.ts'
import type { Place } from './link.ts'

/** What is measured over each transport: its bare client, ours in three states of the SDK, and the SDK by itself. */
export const variants = ['bare', 'plain', 'unsampled', 'sampled', 'floor'] as const
export type Variant = (typeof variants)[number]

export interface Order {
  readonly count: number
  /** Of each message's body. */
  readonly bytes: number
}

export interface Answer {
  /** User and system time of the process a message. */
  readonly cpuMicros: number
  readonly elapsedMs: number
  readonly rssBytes: number
}

export interface Measured extends AsyncDisposable {
  /** Carries so many messages. Rejects when the process ends instead. */
  carry(order: Order): Promise<Answer>
}

/** Starts a measured process and waits until it is connected. */
export async function startMeasured(
  script: string,
  args: readonly string[],
  place: Place,
): Promise<Measured> {
  const child = startChild(script, [...args, JSON.stringify(place)])
  await child.line(/^ready$/)
  return {
    carry: (order) => ask(child, order),
    [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
  }
}

function ask(child: Child, order: Order): Promise<Answer> {
  const { promise, resolve } = Promise.withResolvers<Answer>()
  child.process.once('message', resolve)
  child.process.send(order)
  return Promise.race([promise, child.ended])
}
