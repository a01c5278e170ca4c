import {
  type Broker,
  type ConsumeOptions,
  type ContentMode,
  createBroker,
  type EventHandler,
  type EventPublisher,
  type MessageHandler,
  type PublishTelemetry,
} from '@throughline/core'
import { createHandler, type HttpHandler } from './handler.ts'
import type { HttpPublisherOptions } from './publisher.ts'
import type { HttpSubscriberOptions } from './subscriber.ts'
import { type HttpOptions, type HttpTransport, httpTransport } from './transport.ts'

export type { AdmissionOptions } from './admission.ts'
export { decodeHeaderValue, encodeHeaderValue, httpBinding } from './binding.ts'
export type { ClientOptions } from './client.ts'
export { HttpRefusedError, HttpUnavailableError } from './errors.ts'
export type { HttpDelivery } from './exchange.ts'
export type { HttpHandler, RequestHandler } from './handler.ts'
export { isHeaderName } from './headers.ts'
export type { ListenAddress } from './listen.ts'
export { type Permission, type PermissionOptions, requestPermission } from './permission.ts'
export type { HttpPublisherOptions } from './publisher.ts'
export type { RetryOptions } from './retry.ts'
export type { ServerOptions } from './server.ts'
export type { HttpSubscriberOptions } from './subscriber.ts'
export { type HttpOptions, type HttpTransport, httpTransport } from './transport.ts'
export type { WebhookOptions } from './webhook.ts'

/** What `publisher` takes: `mode` may be `batched` too. */
export type HttpPublish = HttpPublisherOptions &
  Omit<PublishTelemetry, 'mode'> & {
    /** Content mode. `batched` sends the events of one call together, as `application/cloudevents-batch+json`. Default `binary`. */
    readonly mode?: ContentMode | 'batched'
  }

type HandlerOptions = HttpSubscriberOptions & ConsumeOptions & { readonly signal?: AbortSignal }

/** What `http()` gives: a broker, and where its server listens. */
export interface HttpBroker extends Broker<HttpPublisherOptions, HttpSubscriberOptions> {
  publisher(options: HttpPublish): EventPublisher
  /**
   * Receives through a server of your own instead of `listen`: the same as `subscribe`, and the two functions to call
   * from it, for the Fetch standard and for Node. `path` names the destination in spans and metrics, and is not looked at.
   */
  handler(options: HandlerOptions & { readonly raw?: false }, onEvent: EventHandler): Promise<HttpHandler>
  /** The same for messages that need not be events. */
  handler(options: HandlerOptions & { readonly raw: true }, onMessage: MessageHandler): Promise<HttpHandler>
  /** Where the server listens; null while no subscriber is open. */
  address: HttpTransport['address']
}

/** Publishes events by HTTP requests and receives them on a server: `http({ listen: '127.0.0.1:8081' })`. */
export function http(options: HttpOptions = {}): HttpBroker {
  const transport = httpTransport(options)
  const broker = createBroker(transport)

  async function handler(
    handling: HandlerOptions & { readonly raw?: boolean },
    run: EventHandler | MessageHandler,
  ): Promise<HttpHandler> {
    const { mount, handler: functions } = createHandler()
    const { raw, ...rest } = { ...handling, mount }
    // The overloads tie `raw` to the handler's type.
    const subscription = raw
      ? await broker.subscribe({ ...rest, raw: true }, run as MessageHandler)
      : await broker.subscribe(rest, run as EventHandler)
    return Object.assign(subscription, functions)
  }

  function publisher({ mode, ...rest }: HttpPublish): EventPublisher {
    if (mode === 'batched') return broker.publisher({ ...rest, mode: 'structured', batched: true })
    return broker.publisher({ ...rest, ...(mode === undefined ? {} : { mode }) })
  }

  return { ...broker, publisher, handler, address: transport.address }
}
