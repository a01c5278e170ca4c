import assert from 'node:assert/strict'
import {
  type CloudEvent,
  PermanentError,
  type Problem,
  type PublishResult,
  UnavailableError,
} from '@throughline/core'
import type { Case } from '../case.ts'
import { numbered, numberOf, series, textOf } from '../messages.ts'
import { allOk, comesAgain } from '../site.ts'

const BACKOFF = { minMs: 20, maxMs: 40 }

export const handlingCases: readonly Case[] = [
  {
    title: 'nothing is accepted before its handler has returned',
    async run(site) {
      const started = Promise.withResolvers<void>()
      const gate = Promise.withResolvers<void>()
      await site.handle({}, async () => {
        started.resolve()
        await gate.promise
      })
      let answered: readonly PublishResult[] | null = null
      const publishing = site.publisher().publish([numbered(0)])
      void publishing.then((results) => {
        answered = results
      })
      await started.promise
      assert.equal(site.watch.settled.length, 0)
      if (site.features.answersSender) assert.equal(answered, null)
      gate.resolve()
      allOk(await publishing)
      await site.eventually(() => assert.deepEqual(outcomes(site.watch), ['accept']))
    },
  },
  {
    title: 'release: a handler that throws has its message again, counted, after a pause that grows',
    async run(site) {
      const attempts: number[] = []
      const pauses: number[] = []
      const onProblem = (problem: Problem) => problem.kind === 'retry' && pauses.push(problem.retryMs)
      await site.handle(
        { retry: { attempts: 4, minMs: 40, maxMs: 80 }, onProblem },
        (_message, { attempt }) => {
          attempts.push(attempt)
          if (attempts.length < 4) throw new Error(`attempt ${attempt}`)
        },
      )
      const publisher = site.publisher()
      if (site.features.answersSender) {
        for (const _ of [1, 2, 3]) {
          const [result] = await publisher.publish([numbered(0)])
          assert.ok(result && !result.ok && result.error instanceof UnavailableError)
          assert.ok((result.error.retryAfterMs ?? 0) > 0)
        }
      }
      allOk(await publisher.publish([numbered(0)]))
      await site.eventually(() => assert.equal(outcomes(site.watch).at(-1), 'accept'))
      if (site.features.answersSender) {
        assert.deepEqual(outcomes(site.watch), ['release', 'release', 'release', 'accept'])
        return
      }
      assert.deepEqual(attempts, [1, 2, 3, 4])
      // Half of each pause is random: 20 to 40, then 40 to 80 milliseconds.
      const within = (index: number, from: number, to: number) =>
        assert.ok((pauses[index] ?? 0) >= from && (pauses[index] ?? 0) <= to, `pauses ${pauses}`)
      within(0, 20, 40)
      within(1, 40, 80)
      within(2, 40, 80)
      assert.deepEqual(outcomes(site.watch), ['accept'])
    },
  },
  {
    title: 'handlers run side by side up to the concurrency, and never two of one order key',
    async run(site) {
      const running = new Map<string | undefined, number>()
      let all = 0
      let most = 0
      const handled = new Set<number>()
      await site.handle({ concurrency: 4 }, async (_message, { delivery }) => {
        const key = delivery.orderKey
        running.set(key, (running.get(key) ?? 0) + 1)
        most = Math.max(most, ++all)
        if (key !== undefined) assert.equal(running.get(key), 1)
        await new Promise((resolve) => setImmediate(resolve))
        handled.add(numberOf(delivery))
        running.set(key, (running.get(key) ?? 0) - 1)
        all--
      })
      allOk(await site.sender().send(series(200, { keys: 10 })))
      await site.eventually(() => assert.equal(handled.size, 200))
      assert.ok(most <= 4, `${most} at one time`)
      // One key a destination leaves one at a time.
      if (site.features.ordering !== 'destination') assert.ok(most > 1)
    },
  },
  {
    title: 'an attempt whose time is up has failed: its signal is aborted and the message is tried again',
    async run(site) {
      let aborted = 0
      let calls = 0
      await site.handle({ attemptTimeoutMs: 20, retry: BACKOFF }, async (_message, { signal }) => {
        if (++calls > 1) return
        await new Promise((resolve) => signal.addEventListener('abort', resolve))
        aborted++
      })
      allOk(await site.sender().send([numbered(0)]))
      await site.eventually(() => assert.equal(outcomes(site.watch).at(-1), 'accept'))
      assert.deepEqual([calls, aborted], [2, 1])
    },
  },
  {
    title: 'events arrive as they were published, in both content modes',
    async run(site) {
      const seen = new Map<string, CloudEvent>()
      await site.handleEvents({}, (event) => void seen.set(event.id, event))
      const events = site.events()
      const event = {
        source: '/conformance',
        type: 'com.example.tested',
        subject: 'grüezi € 🎉',
        time: '2024-05-01T10:00:00.123456789Z',
        datacontenttype: 'application/json',
        data: { n: 1, text: 'ü' },
        ext: 'x y',
      }
      await events.publish({ ...event, id: 'binary' }, { mode: 'binary' })
      await events.publish({ ...event, id: 'structured' }, { mode: 'structured' })
      await site.eventually(() => assert.equal(seen.size, 2))
      for (const id of ['binary', 'structured']) {
        assert.deepEqual({ ...seen.get(id) }, { ...event, id, specversion: '1.0' })
      }
    },
  },
  {
    title: 'raw messages go the same way: handled, tried again and accepted like events',
    async run(site) {
      const bodies: string[] = []
      await site.handle({ retry: BACKOFF }, (message) => {
        bodies.push(textOf(message))
        if (bodies.length === 1) throw new Error('not yet')
      })
      const events = site.events()
      const publish = () => events.publish({ body: 'no event at all', contentType: 'text/plain' })
      if (site.features.answersSender) await assert.rejects(publish, UnavailableError)
      await publish()
      await site.eventually(() => assert.equal(outcomes(site.watch).at(-1), 'accept'))
      assert.deepEqual(bodies, ['no event at all', 'no event at all'])
    },
  },
  {
    title:
      'a raw message that reaches an event handler is given up with the reason, and its handler not called',
    async run(site) {
      const reasons: Error[] = []
      const onProblem = (problem: Problem) => {
        if (problem.kind === 'dropped' || problem.kind === 'rejected') reasons.push(problem.error)
      }
      const subscription = await site.handleEvents({ onExhausted: 'drop', onProblem }, () =>
        assert.fail('the handler was called'),
      )
      const publishing = site.events().publish({ body: 'no event at all', contentType: 'text/plain' })
      if (site.features.answersSender) await assert.rejects(publishing, PermanentError)
      else await publishing
      await site.eventually(() => assert.deepEqual(outcomes(site.watch), ['reject']))
      assert.ok(reasons[0] instanceof PermanentError)
      await subscription.close()
      assert.deepEqual(await comesAgain(site), [])
    },
  },
]

export function outcomes({ settled }: { readonly settled: readonly { outcome: { outcome: string } }[] }) {
  return settled.map(({ outcome }) => outcome.outcome)
}
