import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createBroker, type Message, PermanentError } from '@throughline/core'
import { memoryTransport, withSpans } from '@throughline/testkit'
import { OMIT, process, run, send } from './support.ts'

const FAST = { minMs: 1, maxMs: 2 }

describe('attempts', () => {
  test('are one span each with the same parent, the later ones linked to the one before', () =>
    withSpans(async (spans) => {
      let calls = 0
      await run(memoryTransport(), {}, { retry: FAST }, () => {
        if (++calls < 3) throw new TypeError(`failure ${calls}`)
      })
      const failed = (call: number) => ({
        status: { code: 'ERROR', message: `failure ${call}` },
        events: [
          {
            name: 'exception',
            attributes: { 'exception.type': 'TypeError', 'exception.message': `failure ${call}` },
          },
        ],
      })
      const attempt = { kind: 'CONSUMER', name: 'process readings', trace: 1, parent: 'send readings' }
      const retry = (to: string) => [{ to: 'send readings' }, { to, attributes: { retry: true } }]
      const error = { 'error.type': 'TypeError', 'throughline.outcome': 'release' }
      assert.deepEqual(spans.tree(OMIT)[0]?.children, [
        { ...attempt, links: [{ to: 'send readings' }], attributes: process(error), ...failed(1) },
        {
          ...attempt,
          links: retry('process readings'),
          attributes: process({ ...error, 'throughline.attempt': 2 }),
          ...failed(2),
        },
        { ...attempt, links: retry('process readings#2'), attributes: process({ 'throughline.attempt': 3 }) },
      ])
    }))

  test('that are spent end in a dead letter under the last one, linked back, with reason, route, count and position', () =>
    withSpans(async (spans) => {
      const transport = memoryTransport()
      await using dead = createBroker(transport)
      const deadLetter = { publisher: dead.publisher({ destination: 'dead' }), route: 'alerts' }
      await run(transport, {}, { retry: { ...FAST, attempts: 2 }, deadLetter }, () => {
        throw new Error('no\nway')
      })
      const [, last] = spans.tree(OMIT)[0]?.children ?? []
      assert.equal(last?.attributes?.['throughline.outcome'], 'reject')
      assert.deepEqual(last?.children, [
        {
          name: 'send dead',
          kind: 'PRODUCER',
          trace: 1,
          parent: 'process readings#2',
          links: [{ to: 'process readings#2', attributes: { dead_letter: true } }],
          attributes: send('dead', {
            'throughline.dead_letter': true,
            'throughline.dead_letter.reason': 'Error',
          }),
        },
      ])
      const [letter] = transport.messages('dead')
      assert.ok(letter)
      const facts = letter.headers.filter(([name]) => name.startsWith('throughline-dead-letter'))
      assert.deepEqual(Object.fromEntries(facts), {
        'throughline-dead-letter-reason': 'no way',
        'throughline-dead-letter-code': 'Error',
        'throughline-dead-letter-attempts': '2',
        'throughline-dead-letter-source': 'readings@0',
        'throughline-dead-letter-route': 'alerts',
      })
      assert.equal(transport.binding.decode(letter).id, '6f1c', 'the event itself is as it came')
      assert.equal(letter.headers.filter(([name]) => name === 'traceparent').length, 1)
    }))

  test('a message that is no event is an error on its span', () =>
    withSpans(async (spans) => {
      const transport = memoryTransport()
      const message: Message = {
        body: new TextEncoder().encode('{'),
        headers: [],
        contentType: 'application/cloudevents+json',
      }
      await run(transport, { message }, { onExhausted: 'drop' })
      const [span] = spans.named('process readings')
      assert.equal(span?.attributes['error.type'], 'TL_EVENT_INVALID')
      assert.match(span?.status.message ?? '', /^body: is not valid JSON/)
      assert.equal(transport.rejections().length, 1)
    }))

  test('a permanent error is not tried again', () =>
    withSpans(async (spans) => {
      await run(memoryTransport(), {}, { onExhausted: 'drop' }, () => {
        throw new PermanentError('never')
      })
      assert.equal(spans.named('process readings').length, 1)
    }))
})
