import assert from 'node:assert/strict'
import type { Delivery } from '@throughline/core'
import type { Case } from '../case.ts'
import { firstArrivals, numberOf, range, series, shuffled } from '../messages.ts'
import { ACCEPT, allOk, comesAgain } from '../site.ts'

export const windowCases: readonly Case[] = [
  {
    title: 'no more than the window is handed out unsettled, and settling makes room',
    async run(site) {
      const window = 8
      const subscriber = await site.opened({ window })
      const sending = site.sender().send(series(500, { keys: 20 }))
      const open: Delivery[] = []
      const seen = new Set<number>()
      const reader = site.reader(subscriber, {
        async onDeliveries(deliveries) {
          open.push(...deliveries)
          for (const delivery of deliveries) seen.add(numberOf(delivery))
          assert.ok(open.length <= window, `${open.length} unsettled`)
          // Everything, or only the oldest, in turn: the window is full again and again.
          if (open.length === window || seen.size === 500) {
            await subscriber.settle(open.splice(0, seen.size % 2 === 0 ? window : 1), ACCEPT)
          }
          if (seen.size === 500) await subscriber.settle(open.splice(0), ACCEPT)
        },
      })
      // With a sender that waits fewer than the window may be under way: nothing more comes until they are settled.
      const idle = setInterval(() => void subscriber.settle(open.splice(0), ACCEPT), 250)
      try {
        await reader.until(500)
        allOk(await sending)
        assert.equal(seen.size, 500)
      } finally {
        clearInterval(idle)
      }
    },
  },
  {
    title: '1,000 in flight at one time, settled in any order',
    async run(site) {
      const subscriber = await site.opened({ window: 1000 })
      const sending = site.sender().send(series(1000))
      const reader = site.reader(subscriber)
      const arrived = await reader.until(1000)
      assert.equal(firstArrivals(arrived).length, 1000)
      const order = shuffled(arrived)
      for (const each of range(100)) await subscriber.settle(order.slice(each * 10, each * 10 + 10), ACCEPT)
      allOk(await sending)
      await subscriber.close()
      assert.deepEqual(await comesAgain(site), [])
    },
  },
]
