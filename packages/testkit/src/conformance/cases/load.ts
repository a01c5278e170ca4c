import assert from 'node:assert/strict'
import type { Case } from '../case.ts'
import { ascending, numberOf, range, series } from '../messages.ts'
import type { Sender } from '../sender.ts'
import { allOk, type Site } from '../site.ts'

export const loadCases: readonly Case[] = [
  {
    title: 'slow handlers keep memory flat: no more than the window is ever handed out unsettled',
    async run(site) {
      const window = 20
      const gate = Promise.withResolvers<void>()
      const handled = new Set<number>()
      await site.handle({ window, concurrency: 4 }, async (_message, { delivery }) => {
        await gate.promise
        handled.add(numberOf(delivery))
      })
      const sending = site.sender().send(series(1000, { keys: 20 }))
      await site.eventually(() => assert.equal(site.watch.unsettled, window))
      // All of them are with the broker now, and none of the rest is with us; a sender that waits has them still.
      if (!site.features.answersSender) allOk(await sending)
      assert.equal(site.watch.unsettled, window)
      gate.resolve()
      allOk(await sending)
      await site.eventually(() => assert.equal(handled.size, 1000))
      assert.ok(site.watch.mostUnsettled <= window, `${site.watch.mostUnsettled} unsettled at one time`)
    },
  },
  {
    title:
      'connections cut while messages are published and handled: none that was confirmed or accepted is lost',
    needs: 'network',
    run: (site) => disturbed(site, 5, async () => site.network.cut()),
  },
  {
    title: 'a broker restarted while messages are published and handled: none that was confirmed is lost',
    needs: 'restart',
    timeoutMs: 120_000,
    run: (site) => disturbed(site, 1, () => site.restart()),
  },
]

/** The long case, by itself because it takes its time. */
export const volumeCases: readonly Case[] = [
  {
    title:
      'many messages with ids and connections cut on the way: none is lost, twice only what was in flight',
    timeoutMs: 240_000,
    async run(site, { messages }) {
      const window = 500
      const breaks = site.has('network')
      const sender = site.sender()
      const times = new Uint8Array(messages)
      let distinct = 0
      let twice = 0
      let inFlight = 0
      let cuts = 0
      await site.handle({ window, concurrency: 64 }, async (_message, { delivery }) => {
        const number = numberOf(delivery)
        if (times[number] === 0) distinct++
        else twice++
        times[number] = 1
        if (breaks && cuts < 3 && distinct > (messages / 4) * (cuts + 1)) {
          cuts++
          // Unsettled, settled with the acknowledgement still on its way, or published and not confirmed.
          inFlight += 2 * window + sender.inFlight
          site.network.cut()
        }
      })
      await sendAll(sender, messages)
      await site.eventually(() => assert.equal(distinct, messages))
      assert.ok(twice <= inFlight, `${twice} came twice, ${inFlight} were in flight`)
      if (breaks) assert.equal(cuts, 3)
    },
  },
]

/** Publishes and handles 3,000 messages while `disturb` is called so often, one time after the other. */
async function disturbed(site: Site, times: number, disturb: () => Promise<void>): Promise<void> {
  const count = 3000
  const handled = new Set<number>()
  let disturbances = 0
  let disturbing: Promise<void> | null = null
  await site.handle({ window: 100 }, (_message, { delivery }) => {
    handled.add(numberOf(delivery))
    if (disturbances >= times || disturbing !== null) return
    if (handled.size < (count / (times + 1)) * (disturbances + 1)) return
    disturbances++
    disturbing = disturb().finally(() => {
      disturbing = null
    })
  })
  await sendAll(site.sender(), count)
  await site.eventually(() => assert.equal(handled.size, count))
  await disturbing
  assert.deepEqual(ascending(handled), range(count))
  assert.equal(disturbances, times)
}

/** In calls of 250, two at a time: there is always something in flight. */
async function sendAll(sender: Sender, count: number): Promise<void> {
  const size = 250
  let next = 0
  async function one(): Promise<void> {
    while (next < count) {
      const from = next
      next += size
      allOk(await sender.send(series(Math.min(size, count - from), { keys: 50, from })))
    }
  }
  await Promise.all([one(), one()])
}
