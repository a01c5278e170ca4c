import assert from 'node:assert/strict'
import { type Delivery, PermanentError, type Settlement, UnavailableError } from '@throughline/core'
import type { Case } from '../case.ts'
import { ascending, numbered, numberOf, range, series, shuffled } from '../messages.ts'
import { ACCEPT, allOk, comesAgain, type Site } from '../site.ts'

export const settlementCases: readonly Case[] = [
  {
    title: 'accept: done for good, and a sender that waits is confirmed',
    async run(site) {
      const { subscriber, arrived, sending } = await held(site, 10)
      await subscriber.settle(arrived, ACCEPT)
      allOk(await sending)
      await subscriber.close()
      assert.deepEqual(await comesAgain(site), [])
    },
  },
  {
    title: 'nothing is accepted before it is settled: what was not comes again',
    async run(site) {
      const { subscriber, arrived, sending } = await held(site, 10)
      const [settled, open] = [arrived.slice(0, 4), arrived.slice(4)]
      await subscriber.settle(settled, ACCEPT)
      await subscriber.close()
      const again = await comesAgain(site, open.length)
      assert.deepEqual(ascending(new Set(again)), ascending(open.map(numberOf)))
      allOk(await sending)
    },
  },
  {
    title: 'settled late, in any order and twice: done once',
    async run(site) {
      const { subscriber, arrived, sending } = await held(site, 40)
      for (const delivery of shuffled(arrived)) {
        await subscriber.settle([delivery], ACCEPT)
        await subscriber.settle([delivery, ...arrived.slice(0, 1)], ACCEPT)
      }
      allOk(await sending)
      await subscriber.close()
      assert.deepEqual(await comesAgain(site), [])
    },
  },
  {
    title: 'all settled but one in the middle: that one comes again, and nothing that arrived before it',
    async run(site) {
      const { subscriber, arrived, sending } = await held(site, 20)
      const open = arrived[7]
      assert.ok(open)
      await subscriber.settle(arrived.filter((each) => each !== open).reverse(), ACCEPT)
      await subscriber.close()
      const again = await comesAgain(site, 1)
      assert.ok(again.includes(numberOf(open)))
      const before = new Set(arrived.slice(0, 7).map(numberOf))
      assert.deepEqual(
        again.filter((number) => before.has(number)),
        [],
      )
      allOk(await sending)
    },
  },
  {
    title: 'release: comes again; a sender that waits is told to send again, and when',
    async run(site) {
      const subscriber = await site.opened()
      const publisher = site.publisher()
      const publishing = publisher.publish([numbered(0)])
      const arrived = await site.reader(subscriber).until(1)
      await subscriber.settle(arrived, { outcome: 'release', delayMs: 2000 })
      const [result] = await publishing
      if (site.features.answersSender) {
        assert.ok(result && !result.ok && result.error instanceof UnavailableError)
        assert.ok((result.error.retryAfterMs ?? 0) >= 2000, `retry after ${result.error.retryAfterMs} ms`)
      } else assert.ok(result?.ok)
      await subscriber.close()
      const next = await site.opened()
      const again = site.features.answersSender ? publisher.publish([numbered(0)]) : null
      const [delivery] = await site.reader(next).until(1)
      assert.ok(delivery)
      assert.equal(numberOf(delivery), 0)
      assert.ok(delivery.attempt >= 1)
      await next.settle([delivery], ACCEPT)
      allOk((await again) ?? [])
    },
  },
  {
    title: 'reject: done for good, and a sender that waits is told that it is refused',
    async run(site) {
      const [result] = await rejected(site, false)
      if (site.features.answersSender) {
        assert.ok(result && !result.ok && result.error instanceof PermanentError)
      } else assert.ok(result?.ok)
      assert.deepEqual(await comesAgain(site), [])
    },
  },
  {
    title: 'reject of what was dead-lettered: done for good, and a sender that waits is confirmed',
    async run(site) {
      allOk(await rejected(site, true))
      assert.deepEqual(await comesAgain(site), [])
    },
  },
  {
    title: 'settling what an earlier connection delivered does nothing',
    async run(site) {
      const { subscriber, arrived, sending } = await held(site, 5)
      await subscriber.close()
      await subscriber.settle(arrived, ACCEPT)
      assert.deepEqual(ascending(new Set(await comesAgain(site, 5))), range(5))
      allOk(await sending)
    },
  },
]

/** Messages that have arrived and are not settled. A sender that waits for its answer is still waiting. */
export async function held(site: Site, count: number) {
  const subscriber = await site.opened()
  const sending = site.sender().send(series(count))
  const reader = site.reader(subscriber)
  const arrived: readonly Delivery[] = [...(await reader.until(count))]
  return { subscriber, reader, arrived, sending }
}

async function rejected(site: Site, deadLettered: boolean) {
  const subscriber = await site.opened()
  const publishing = site.publisher().publish([numbered(0)])
  const arrived = await site.reader(subscriber).until(1)
  const outcome: Settlement = { outcome: 'reject', reason: new PermanentError('refused'), deadLettered }
  await subscriber.settle(arrived, outcome)
  const results = await publishing
  await subscriber.close()
  return results
}
