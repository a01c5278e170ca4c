import assert from 'node:assert/strict'
import { UnavailableError } from '@throughline/core'
import type { Case } from '../case.ts'
import { ascending, numbered, range } from '../messages.ts'
import { ACCEPT, allOk, comesAgain } from '../site.ts'
import { held } from './settlement.ts'

export const lifecycleCases: readonly Case[] = [
  {
    title: 'an abort ends reading that waits; what was delivered may be settled, and reading may begin again',
    async run(site) {
      const { subscriber, reader, arrived, sending } = await held(site, 1)
      await reader.stop()
      await subscriber.settle(arrived, ACCEPT)
      allOk(await sending)
      const second = site.reader(subscriber)
      const more = site.sender().send([numbered(1)])
      await second.until(1)
      assert.deepEqual(second.numbers(), [1])
      await subscriber.settle(second.arrived, ACCEPT)
      allOk(await more)
    },
  },
  {
    title: 'a signal that is aborted already reads nothing',
    async run(site) {
      const subscriber = await site.opened()
      for await (const deliveries of subscriber.deliveries(AbortSignal.abort()))
        assert.fail(String(deliveries))
    },
  },
  {
    title: 'close while deliveries are in flight: reading ends, their signals are aborted, they come again',
    async run(site) {
      const { subscriber, reader, arrived, sending } = await held(site, 5)
      await Promise.all([subscriber.close(), subscriber.close()])
      await reader.ended
      for (const { signal } of arrived) assert.equal(signal?.aborted, true)
      for await (const deliveries of subscriber.deliveries()) assert.fail(String(deliveries))
      assert.deepEqual(ascending(new Set(await comesAgain(site, 5))), range(5))
      allOk(await sending)
    },
  },
  {
    title:
      'a publisher that is closed waits for what is in flight, and answers what comes later for each message',
    async run(site) {
      const subscriber = await site.opened()
      const publisher = site.publisher()
      await publisher.open()
      assert.deepEqual(await publisher.publish([]), [])
      const publishing = publisher.publish([numbered(0), numbered(1)])
      const closing = publisher.close()
      site.reader(subscriber, { onDeliveries: (deliveries) => subscriber.settle(deliveries, ACCEPT) })
      allOk(await publishing)
      await closing
      const late = await publisher.publish([numbered(2), numbered(3)])
      assert.equal(late.length, 2)
      for (const result of late) assert.ok(!result.ok && result.error instanceof UnavailableError)
      await publisher.close()
    },
  },
]
