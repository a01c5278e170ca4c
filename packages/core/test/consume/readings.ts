import assert from 'node:assert/strict'
import { createBroker } from '@throughline/core'
import { eventually, type MemoryTransport } from '@throughline/testkit'

/** Publishes an event of each id to `readings`. */
export async function publish(
  transport: MemoryTransport,
  ids: readonly string[],
  key?: string,
): Promise<void> {
  await using broker = createBroker(transport)
  const publisher = broker.publisher({ destination: 'readings' })
  for (const id of ids) {
    await publisher.publish({ id, type: 't', source: '/s' }, key === undefined ? {} : { key })
  }
}

/** Resolves when every delivery was settled. */
export const settled = (transport: MemoryTransport) =>
  eventually(() => assert.equal(transport.unsettled(), 0))
