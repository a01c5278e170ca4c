import type { EventHandler } from '@throughline/core'
import { type HttpPublish, type HttpSubscriberOptions, http } from '@throughline/http'

export const BATCH = 'application/cloudevents-batch+json'
/** One event in JSON, with `more` members. */
export const json = (id: string, more = '') =>
  `{"specversion":"1.0","id":"${id}","source":"/s","type":"t"${more}}`
/** Events to publish, with ids from 0. */
export const inputs = (count: number) =>
  Array.from({ length: count }, (_, i) => ({ id: String(i), type: 't', source: '/s' }))

/** A service at `/events`, and what its publisher's requests looked like. */
export async function batchService(run: EventHandler, options: Partial<HttpSubscriberOptions> = {}) {
  const broker = http({ listen: '127.0.0.1:0' })
  await broker.subscribe({ path: '/events', ...options }, run)
  const url = `http://127.0.0.1:${broker.address()?.port}/events`
  const post = (body: string, contentType = BATCH, headers: Record<string, string> = {}) =>
    fetch(url, { method: 'POST', body, headers: { 'content-type': contentType, ...headers } })
  const publisher = (more: Partial<HttpPublish> = {}) => broker.publisher({ url, mode: 'batched', ...more })
  return { broker, url, post, publisher, [Symbol.asyncDispose]: () => broker.close({ graceMs: 0 }) }
}
