/** Where messages go: an exchange and a routing key. The exchange `''` takes the routing key for a queue's name. */
export interface Route {
  readonly exchange: string
  readonly routingKey: string
}

/** What conventions call the default exchange, where nothing else is known. */
const DEFAULT_EXCHANGE = 'amq.default'

/** `messaging.destination.name` of what is sent: `{exchange}:{routing key}`, or the one that is not empty. */
export function routeName({ exchange, routingKey }: Route): string {
  return joined([exchange, routingKey])
}

/** The same of what is received: `{exchange}:{routing key}:{queue}` without what is empty; the queue only where it is not the routing key. */
export function sourceName({ exchange, routingKey }: Route, queue: string): string {
  return joined([exchange, routingKey, routingKey === queue ? '' : queue])
}

/**
 * A message's own destination: `exchange:routing key`, or a routing key alone for the publisher's exchange. The first
 * colon separates; `:queue` goes by the default exchange.
 */
export function parseRoute(destination: string, exchange: string): Route {
  const colon = destination.indexOf(':')
  if (colon < 0) return { exchange, routingKey: destination }
  return { exchange: destination.slice(0, colon), routingKey: destination.slice(colon + 1) }
}

function joined(parts: readonly string[]): string {
  return parts.filter((part) => part !== '').join(':') || DEFAULT_EXCHANGE
}
