import assert from 'node:assert/strict'
import { setImmediate } from 'node:timers/promises'
import { UnavailableError } from '@throughline/core'
import type { Case } from '../case.ts'
import { ascending, firstArrivals, numberOf, range, series } from '../messages.ts'
import { createSender } from '../sender.ts'
import { ACCEPT, allOk, type Site } from '../site.ts'

/** Messages between two cuts. */
const STRETCH = 300

export const outageCases: readonly Case[] = [
  {
    title:
      'publishing while the broker is away: each message has its UnavailableError, and later ones go through',
    needs: 'network',
    run: (site) => unreachable(site, () => site.network.refuse()),
  },
  {
    title: 'publishing while the broker hangs: each message has its UnavailableError when its time is up',
    needs: 'network',
    run: (site) => unreachable(site, () => site.network.stall()),
  },
  {
    title: 'opening a subscriber while the broker is away is an UnavailableError, and works when it is back',
    needs: 'network',
    inapplicable: ({ answersSender }) => (answersSender ? 'the subscriber is the server itself' : null),
    async run(site) {
      const subscriber = site.subscriber()
      await site.network.refuse()
      await assert.rejects(subscriber.open(), UnavailableError)
      await assert.rejects(site.reader(subscriber).ended, UnavailableError)
      await site.network.restore()
      await subscriber.open()
    },
  },
  {
    title:
      'connections cut while 2,000 messages are read: none is lost, each key in order, twice only what was in flight',
    needs: 'network',
    async run(site) {
      const window = 100
      const subscriber = await site.opened({ window })
      const sender = site.sender()
      const sending = sender.send(series(2000, { keys: 5 }))
      // First published whole, so that only the reading is disturbed; a sender that waits is part of it.
      if (!site.features.answersSender) allOk(await sending)
      const seen = new Set<number>()
      let cuts = 0
      let inFlight = 0
      const reader = site.reader(subscriber, {
        reconnects: true,
        async onDeliveries(deliveries) {
          for (const delivery of deliveries) seen.add(numberOf(delivery))
          if (cuts < 5 && seen.size >= STRETCH * (cuts + 1)) {
            cuts++
            // Unsettled, or settled since the last cut with the acknowledgement still on its way: a broker that sends a
            // session that comes back more than the window reads them later than that.
            inFlight += 2 * window + STRETCH + sender.inFlight
            site.network.cut()
          }
          // Handlers take their time, in which acknowledgements go out.
          await setImmediate()
          await subscriber.settle(deliveries, ACCEPT)
        },
      })
      await reader.when(() => seen.size === 2000, '2,000 messages')
      allOk(await sending)
      assert.equal(cuts, 5)
      assert.deepEqual(ascending(seen), range(2000))
      const { arrived } = reader
      const twice = arrived.length - seen.size
      assert.ok(twice <= inFlight, `${twice} came twice, ${inFlight} were in flight`)
      if (site.features.ordering === 'none') return
      for (const numbers of Map.groupBy(firstArrivals(arrived), (number) => number % 5).values()) {
        assert.deepEqual(numbers, ascending(numbers))
      }
    },
  },
]

async function unreachable(site: Site, breakIt: () => void | Promise<void>): Promise<void> {
  const subscriber = await site.opened()
  const reader = site.reader(subscriber, {
    reconnects: true,
    onDeliveries: (deliveries) => subscriber.settle(deliveries, ACCEPT),
  })
  const publisher = site.publisher({ timeoutMs: 1000 })
  allOk(await publisher.publish(series(1)))
  await breakIt()
  const results = await publisher.publish(series(3, { from: 1 }))
  assert.equal(results.length, 3)
  for (const result of results) assert.ok(!result.ok && result.error instanceof UnavailableError)
  await site.network.restore()
  const later = createSender(publisher)
  allOk(await later.send(series(3, { from: 10 })))
  await reader.when(() => [10, 11, 12].every((number) => reader.numbers().includes(number)), 'the later ones')
}
