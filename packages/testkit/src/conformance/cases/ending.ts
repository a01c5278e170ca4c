import assert from 'node:assert/strict'
import type { Case } from '../case.ts'
import { ascending, numberOf, series } from '../messages.ts'
import { allOk, comesAgain, type Site } from '../site.ts'
import { outcomes } from './handling.ts'

export const endingCases: readonly Case[] = [
  {
    title:
      'close finishes the handlers that run, accepts what they return, and leaves the rest to come again',
    async run(site) {
      const { subscription, handled, gate, sending } = await running(site)
      const closing = subscription.close()
      gate.resolve()
      await closing
      await subscription.closed
      assert.ok(handled.size >= 1)
      assert.equal(outcomes(site.watch).filter((each) => each === 'accept').length, handled.size)
      const left = [...Array(10).keys()].filter((number) => !handled.has(number))
      assert.deepEqual(ascending(new Set(await comesAgain(site, left.length))), left)
      allOk(await sending)
    },
  },
  {
    title: 'a handler that outlasts the grace of close is aborted, and nothing of it is accepted',
    async run(site) {
      const { subscription, signals, gate, sending } = await running(site)
      await subscription.close({ graceMs: 1 })
      assert.ok(signals.length > 0 && signals.every(({ aborted }) => aborted))
      gate.resolve()
      assert.deepEqual(ascending(new Set(await comesAgain(site, 10))), [...Array(10).keys()])
      allOk(await sending)
    },
  },
  {
    title: 'an abort of the subscription’s signal closes it, and what was not handled comes again',
    async run(site) {
      const abort = new AbortController()
      const { subscription, signals, gate, sending } = await running(site, abort.signal)
      abort.abort()
      await subscription.closed
      assert.equal(subscription.state, 'stopped')
      assert.ok(signals.every(({ aborted }) => aborted))
      gate.resolve()
      assert.deepEqual(ascending(new Set(await comesAgain(site, 10))), [...Array(10).keys()])
      allOk(await sending)
    },
  },
]

/** Ten messages are under way and at least one handler runs, until the gate is opened. */
async function running(site: Site, signal?: AbortSignal) {
  const gate = Promise.withResolvers<void>()
  const handled = new Set<number>()
  const signals: AbortSignal[] = []
  const subscription = await site.handle(
    { concurrency: 2, ...(signal === undefined ? {} : { signal }) },
    async (_message, { delivery, signal }) => {
      signals.push(signal)
      await gate.promise
      if (!signal.aborted) handled.add(numberOf(delivery))
    },
  )
  const sending = site.sender().send(series(10))
  await site.eventually(() => assert.ok(signals.length > 0))
  return { subscription, handled, signals, gate, sending }
}
