import type { Attributes } from '@opentelemetry/api'
import type { TransportAttributes } from '@throughline/core'
import type { EventHeaders } from './event.ts'

/** What the clients of one messaging system have in common. */
export interface System {
  /** `messaging.system` */
  readonly name: 'kafka' | 'mqtt' | 'rabbitmq'
  /** `messaging.operation.name` of a send. */
  readonly sendOperation: 'send' | 'publish'
  /** The same of asking for one message, where that can be done. */
  readonly receiveOperation?: string
  /** True where messages may go to any number of destinations: metrics name one only by a template. */
  readonly hasManyDestinations?: boolean
  readonly eventHeaders: EventHeaders
  /**
   * Whether a message sent says itself when that was, in a header. Kafka's have a timestamp, and a header more on each
   * record costs its clients more than all the rest of a span that does not record; those have it whose timestamp is the
   * application's own.
   */
  readonly saysSentAt: boolean
  readonly attributes: Omit<TransportAttributes, 'connection'>
}

/** A client of the application's: what of its spans is the same for all of its messages. */
export interface Client {
  readonly system: System
  /** `server.address`, `server.port`, `messaging.client.id`. */
  readonly connection: Attributes
}

/**
 * Server of spans from an address as clients are given it: `localhost:9092`, `mqtt://user:secret@host/`, `[::1]:1883`.
 * Nothing of what cannot be told apart for certain, so that no part of a password is taken for a host.
 */
export function serverAttributes(address: string | undefined, defaultPort: number): Attributes {
  const [authority = '', rest = ''] = splitOnce(withoutScheme(address ?? ''), /[/?#]/)
  const at = authority.lastIndexOf('@')
  // A password with a `#` in it, that should have been percent-encoded: the host stands behind.
  if (at < 0 && rest.startsWith('#') && rest.includes('@')) return {}
  const [, host, port] = HOST_AND_PORT.exec(authority.slice(at + 1)) ?? []
  if (host === undefined || Number(port ?? 0) > 65535) return {}
  return {
    'server.address': host.replace(/^\[|\]$/g, '').toLowerCase(),
    'server.port': Number(port ?? defaultPort),
  }
}

const HOST_AND_PORT = /^(\[[\da-fA-F:.%\w]+\]|[^\s:[\]]+)(?::(\d{1,5}))?$/

/** `SASL_SSL://` as Kafka writes them, too. */
function withoutScheme(address: string): string {
  return address.replace(/^[a-z][\w+.-]*:\/\//i, '')
}

/** What stands before the separator, and the rest with it. */
function splitOnce(text: string, separator: RegExp): [string, string] {
  const at = text.search(separator)
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at)]
}
