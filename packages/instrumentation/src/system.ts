import type { Attributes } from '@opentelemetry/api'
import type { TransportAttributes } from '@throughline/core'
import type { EventHeaders } from './event.ts'

/** What the clients of one messaging system have in common. */
export interface System {
  /** `messaging.system` */
  readonly name: 'kafka' | 'mqtt' | 'rabbitmq'
  /** `messaging.operation.name` of a send. */
  readonly sendOperation: 'send' | 'publish'
  readonly eventHeaders: EventHeaders
  readonly attributes: Omit<TransportAttributes, 'connection'>
}

/** A client of the application's: what of its spans is the same for all of its messages. */
export interface Client {
  readonly system: System
  /** `server.address`, `server.port`, `messaging.client.id`. */
  readonly connection: Attributes
}

/** Server of spans from an address as clients are given it: `localhost:9092`, `mqtt://user:secret@host/`. Never its user info. */
export function serverAttributes(address: string | undefined, defaultPort: number): Attributes {
  if (address === undefined) return {}
  const text = address.includes('://') ? address : `tcp://${address}`
  // A scheme that URL does not know would keep the host in lower case and its port.
  const url = URL.parse(text.replace(/^[a-z0-9+.-]+:\/\//i, 'http://'))
  if (url === null || url.hostname === '') return {}
  return {
    'server.address': url.hostname.replace(/^\[|\]$/g, ''),
    'server.port': Number(/:(\d+)(?=[/?#]|$)/.exec(text.replace(/^.*@/, ''))?.[1] ?? defaultPort),
  }
}
