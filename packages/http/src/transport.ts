import {
  type Delivery,
  headerText,
  PermanentError,
  type PublishResult,
  type Transport,
} from '@throughline/core'
import { httpBinding } from './binding.ts'
import { HttpRefusedError, HttpUnavailableError } from './errors.ts'
import type { HttpDelivery } from './exchange.ts'
import type { Mount } from './incoming.ts'
import { type ListenAddress, parseListen } from './listen.ts'
import { type BatchedOptions, httpPublisher } from './publisher.ts'
import { type ServerOptions, type SharedServer, sharedServer } from './server.ts'
import { type HttpSubscriberOptions, httpSubscriber } from './subscriber.ts'

/** Where to receive, and the server's bounds. */
export interface HttpOptions extends ServerOptions {
  /** Where subscribers receive: `127.0.0.1:8081`, or `:8081` for the same. Port 0 takes a free one. Not needed to publish. */
  readonly listen?: string
}

/** A handler brings the mount that its requests come through; others are received by the transport's own server. */
export type MountedOptions = HttpSubscriberOptions & { readonly mount?: Mount; readonly raw?: boolean }

/** HTTP as a driver, with the address that its server got. */
export interface HttpTransport extends Transport<BatchedOptions, MountedOptions> {
  /** Where the server listens, the real port where 0 was asked for; null while no subscriber is open. */
  address(): ListenAddress | null
}

const MAX_USER_AGENT = 256

/**
 * HTTP as a transport: the client publishes, the server subscribes. All subscribers share one server.
 * Throws ThroughlineError when `listen` is no address.
 */
export function httpTransport(options: HttpOptions = {}): HttpTransport {
  const server: SharedServer | null =
    options.listen === undefined ? null : sharedServer(parseListen(options.listen), options)
  return {
    system: 'http',
    sendOperation: 'send',
    features: {
      acknowledges: true,
      ordering: 'none',
      headers: 'ascii',
      sharing: 'none',
      replay: false,
      answersSender: true,
    },
    binding: httpBinding,
    attributes: {
      connection: {},
      sent: () => ({}),
      confirmed: (result) => {
        const statusCode = statusCodeOf(result)
        return {
          ...(statusCode === undefined ? {} : { 'http.response.status_code': statusCode }),
          ...(result.resends === undefined ? {} : { 'http.request.resend_count': result.resends }),
        }
      },
      delivered: (delivery) => {
        const userAgent = headerText(delivery.message.headers, 'user-agent')
        return {
          ...(isHttpDelivery(delivery) ? requestAttributes(delivery) : {}),
          ...(userAgent === null ? {} : { 'user_agent.original': userAgent.slice(0, MAX_USER_AGENT) }),
        }
      },
    },
    publisher: httpPublisher,
    subscriber(subscriberOptions) {
      const mount = subscriberOptions.mount ?? server
      if (mount === null) {
        throw new PermanentError(
          'listen is required to subscribe: http({ listen: "127.0.0.1:8081" }); handler() receives through a server of your own',
          { code: 'TL_LISTEN_MISSING' },
        )
      }
      return httpSubscriber(subscriberOptions, mount)
    },
    address: () => server?.address() ?? null,
  }
}

function statusCodeOf(result: PublishResult<Error>): number | undefined {
  if (result.ok) return result.statusCode
  const { error } = result
  return error instanceof HttpRefusedError || error instanceof HttpUnavailableError
    ? error.statusCode
    : undefined
}

function isHttpDelivery(delivery: Delivery): delivery is HttpDelivery {
  return 'http' in delivery
}

function requestAttributes({ http: { method, clientAddress } }: HttpDelivery) {
  return {
    'http.request.method': method,
    ...(clientAddress === undefined ? {} : { 'client.address': clientAddress }),
  }
}
