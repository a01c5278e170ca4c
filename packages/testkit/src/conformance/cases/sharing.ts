import assert from 'node:assert/strict'
import type { Case } from '../case.ts'
import { ascending, numberOf, range, series } from '../messages.ts'
import { ACCEPT, allOk, type Site } from '../site.ts'

const CHUNK = 50
const MOST = 20_000

export const sharingCases: readonly Case[] = [
  {
    title: 'two consumers share the messages while one joins and one leaves: none is lost',
    shared: true,
    inapplicable: ({ sharing }) => (sharing === 'none' ? 'features.sharing is none' : null),
    async run(site) {
      const seen = new Set<number>()
      const first = await joined(site, 'first', seen)
      const sender = site.sender()
      let sent = 0
      /** Goes on publishing until something has happened, at the pace of the consumers. */
      async function publishUntil(reached: () => boolean): Promise<void> {
        while (!reached()) {
          assert.ok(sent < MOST, `${sent} messages were published meanwhile`)
          allOk(await sender.send(series(CHUNK, { keys: CHUNK, from: sent })))
          sent += CHUNK
          await first.reader.when(() => seen.size > sent - 10 * CHUNK, 'what was published')
        }
      }
      await publishUntil(() => first.reader.arrived.length > 0)
      const second = await joined(site, 'second', seen)
      await publishUntil(() => second.reader.arrived.length > 0)
      await first.subscriber.close()
      await first.reader.ended
      const before = second.reader.arrived.length
      const end = sent + 10 * CHUNK
      while (sent < end) {
        allOk(await sender.send(series(CHUNK, { keys: CHUNK, from: sent })))
        sent += CHUNK
      }
      // Dealt to a member that is away, messages wait for it.
      if (site.features.sharing === 'session') await joined(site, 'first', seen)
      await second.reader.when(() => seen.size === sent, `${sent} messages`)
      assert.deepEqual(ascending(seen), range(sent))
      assert.ok(second.reader.arrived.length > before)
    },
  },
]

async function joined(site: Site, member: string, seen: Set<number>) {
  const subscriber = await site.opened({ window: 50, member })
  const reader = site.reader(subscriber, {
    onDeliveries(deliveries) {
      for (const delivery of deliveries) seen.add(numberOf(delivery))
      return subscriber.settle(deliveries, ACCEPT)
    },
  })
  return { subscriber, reader }
}
