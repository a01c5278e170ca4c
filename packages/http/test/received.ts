import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import type { Settlement } from '@throughline/core'
import { type HttpOptions, type HttpSubscriberOptions, httpTransport } from '@throughline/http'
import { eventually } from '@throughline/testkit'
import { collect } from './support.ts'

export const ACCEPT: Settlement = { outcome: 'accept' }

/** A subscriber that listens, with a reader that settles nothing by itself. */
export async function received(
  context: TestContext,
  options: Partial<HttpSubscriberOptions> = {},
  server: HttpOptions = {},
) {
  const transport = httpTransport({ listen: '127.0.0.1:0', ...server })
  const subscriber = transport.subscriber({ path: '/events', ...options })
  await subscriber.open()
  const stop = new AbortController()
  const reader = collect(subscriber, stop.signal)
  const port = transport.address()?.port ?? 0
  context.after(() => subscriber.close())
  return {
    transport,
    subscriber,
    stop,
    port,
    url: `http://127.0.0.1:${port}/events`,
    arrived: reader.arrived,
    ended: reader.ended,
    /** The delivery of this number, once it is there. */
    delivery: (index: number) =>
      eventually(() => {
        const delivery = reader.arrived[index]
        assert.ok(delivery, `delivery ${index} has not arrived`)
        return delivery
      }),
  }
}

export const post = (url: string, body: string | Uint8Array<ArrayBuffer> = 'x', init: RequestInit = {}) =>
  fetch(url, { method: 'POST', body, ...init })
