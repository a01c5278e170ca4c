import assert from 'node:assert/strict'
import {
  type DeadLetterPublisher,
  headerText,
  type Message,
  PermanentError,
  StoppedError,
  type ThroughlineError,
  UnavailableError,
} from '@throughline/core'
import type { Case } from '../case.ts'
import { numbered, textOf } from '../messages.ts'
import { allOk, comesAgain, type Site } from '../site.ts'
import { outcomes } from './handling.ts'

const RETRY = { attempts: 2, minMs: 5, maxMs: 10 }

export const givingUpCases: readonly Case[] = [
  {
    title: 'reject: the dead letter is published and confirmed before its message is settled',
    async run(site) {
      const { deadLetter, letters, steps } = await deadLetters(site)
      const subscription = await site.handle({ retry: RETRY, deadLetter }, () => {
        throw new PermanentError('cannot be handled')
      })
      const [result] = await site.publisher().publish([numbered(7)])
      assert.ok(result?.ok)
      await site.eventually(() => assert.deepEqual(steps, ['published', 'confirmed', 'reject']))
      await site.eventually(() => assert.deepEqual(letters.map(textOf), ['7']))
      if (site.features.headers !== 'none') {
        const reason = headerText(letters[0]?.headers ?? [], 'throughline-dead-letter-reason')
        assert.equal(reason, 'cannot be handled')
      }
      await subscription.close()
      assert.deepEqual(await comesAgain(site), [])
    },
  },
  {
    title: 'a dead letter that cannot be published now keeps its message unsettled until it can',
    async run(site) {
      const { deadLetter, letters, steps } = await deadLetters(site, [
        new UnavailableError('away'),
        new UnavailableError('still away'),
      ])
      let calls = 0
      await site.handle({ retry: RETRY, deadLetter }, () => {
        calls++
        throw new PermanentError('cannot be handled')
      })
      allOk(await site.sender().send([numbered(7)]))
      await site.eventually(() => assert.deepEqual(letters.map(textOf), ['7']))
      await site.eventually(() => assert.equal(steps.at(-1), 'reject'))
      // A sender that waits is told to send again, which calls the handler again; else only the letter is tried again.
      const given = site.features.answersSender ? ['published', 'failed', 'release'] : ['published', 'failed']
      assert.deepEqual(steps, [...given, ...given, 'published', 'confirmed', 'reject'])
      assert.equal(calls, site.features.answersSender ? 3 : 1)
    },
  },
  {
    title: 'a dead letter that can never be published keeps its message',
    async run(site) {
      const { deadLetter } = await deadLetters(site, [new PermanentError('no such place')])
      const subscription = await site.handle({ retry: RETRY, deadLetter }, () => {
        throw new PermanentError('cannot be handled')
      })
      const publisher = site.publisher()
      const [result] = await publisher.publish([numbered(7)])
      if (site.features.answersSender) {
        assert.ok(result && !result.ok && result.error instanceof UnavailableError)
        return
      }
      assert.ok(result?.ok)
      await assert.rejects(subscription.closed, StoppedError)
      assert.ok(!outcomes(site.watch).includes('accept') && !outcomes(site.watch).includes('reject'))
      assert.deepEqual(await comesAgain(site, 1), [7])
    },
  },
  {
    title: 'attempts that are spent without a dead letter stop the subscription, and the message stays',
    inapplicable: ({ answersSender }) => (answersSender ? 'its sender decides on further attempts' : null),
    async run(site) {
      const attempts: number[] = []
      const subscription = await site.handle({ retry: RETRY }, (_message, { attempt }) => {
        attempts.push(attempt)
        throw new Error('cannot')
      })
      allOk(await site.publisher().publish([numbered(7)]))
      await assert.rejects(subscription.closed, StoppedError)
      assert.deepEqual(attempts, [1, 2])
      assert.deepEqual(await comesAgain(site, 1), [7])
    },
  },
]

/** A place for dead letters, with what arrives there and what happened in which order. The first publishes fail so. */
async function deadLetters(site: Site, failures: readonly ThroughlineError[] = []) {
  const place = await site.another()
  const letters: Message[] = []
  const steps: string[] = []
  await place.handle({}, (message) => void letters.push(message))
  const events = place.events()
  const left = [...failures]
  const publisher: DeadLetterPublisher = {
    async publishMessages(messages) {
      steps.push('published')
      const error = left.shift()
      const results =
        error === undefined
          ? await events.publishMessages(messages)
          : messages.map(() => ({ ok: false as const, error }))
      steps.push(results.every(({ ok }) => ok) ? 'confirmed' : 'failed')
      return results
    },
  }
  site.watch.onSettle = (settled) => steps.push(...outcomes({ settled }))
  return { deadLetter: { publisher }, letters, steps }
}
