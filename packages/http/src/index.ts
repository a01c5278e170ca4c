import { type Broker, createBroker } from '@throughline/core'
import type { HttpPublisherOptions } from './publisher.ts'
import type { HttpSubscriberOptions } from './subscriber.ts'
import { type HttpOptions, type HttpTransport, httpTransport } from './transport.ts'

export { decodeHeaderValue, encodeHeaderValue, httpBinding } from './binding.ts'
export { HttpRefusedError, HttpUnavailableError } from './errors.ts'
export { isHeaderName } from './headers.ts'
export type { ListenAddress } from './listen.ts'
export type { HttpPublisherOptions } from './publisher.ts'
export type { ServerOptions } from './server.ts'
export type { HttpDelivery, HttpSubscriberOptions } from './subscriber.ts'
export { type HttpOptions, type HttpTransport, httpTransport } from './transport.ts'

export interface HttpBroker extends Broker<HttpPublisherOptions, HttpSubscriberOptions> {
  /** Where the server listens; null while no subscriber is open. */
  address: HttpTransport['address']
}

/** Publishes events by HTTP requests and receives them on a server: `http({ listen: '127.0.0.1:8081' })`. */
export function http(options: HttpOptions = {}): HttpBroker {
  const transport = httpTransport(options)
  return { ...createBroker(transport), address: transport.address }
}
