import assert from 'node:assert/strict'
import type { Case } from '../case.ts'
import { ascending, numberOf, series } from '../messages.ts'
import { ACCEPT, allOk } from '../site.ts'

export const orderCases: readonly Case[] = [
  {
    title: 'messages of one key arrive in the order of the calls, and have one order key',
    inapplicable: ({ ordering }) => (ordering === 'none' ? 'features.ordering is none' : null),
    async run(site) {
      const subscriber = await site.opened({ window: 64 })
      const publisher = site.publisher()
      const messages = series(1000, { keys: 10 })
      // Calls that overlap: the order of the calls has to hold, not that of the answers.
      const calls = Array.from({ length: 20 }, (_, call) =>
        publisher.publish(messages.slice(call * 50, call * 50 + 50)),
      )
      const reader = site.reader(subscriber, {
        onDeliveries: (deliveries) => subscriber.settle(deliveries, ACCEPT),
      })
      const arrived = await reader.until(messages.length)
      allOk((await Promise.all(calls)).flat())
      const keyed = Map.groupBy(arrived, (delivery) =>
        site.features.ordering === 'key' ? numberOf(delivery) % 10 : 0,
      )
      for (const [key, deliveries] of keyed) {
        const numbers = deliveries.map(numberOf)
        assert.deepEqual(numbers, ascending(numbers), `key ${key}`)
        assert.equal(new Set(deliveries.map(({ orderKey }) => orderKey)).size, 1)
        assert.notEqual(deliveries[0]?.orderKey, undefined)
      }
      assert.equal(new Set(arrived.map(numberOf)).size, messages.length)
    },
  },
]
