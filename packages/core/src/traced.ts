/** Registered under its name: two copies of this package in one process mean the same by it. */
const TRACED = Symbol.for('throughline.traced')

/**
 * Marks a driver's client, whose messages are traced by the library that made it: an instrumentation of such clients
 * leaves it alone, or each message would have two spans. To be called before the client is used. Returns the client.
 */
export function markTraced<Client extends object>(client: Client): Client {
  return Object.defineProperty(client, TRACED, { value: true })
}

/** Whether a client has the mark. */
export function isTraced(client: unknown): boolean {
  return typeof client === 'object' && client !== null && TRACED in client
}
