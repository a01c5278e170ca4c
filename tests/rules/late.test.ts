import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createEvent, type Message, withReplay } from '@throughline/core'
import { eventually, withSpans } from '@throughline/testkit'
import { legs } from './legs.ts'
import { event, processed, sent, shape } from './shape.ts'

const TIME = '2026-01-02T03:04:05.123456789+01:00'

for (const leg of legs) {
  describe(`long after, over ${leg.system}`, () => {
    test('a replay is handled in a trace of its own that links to the send, which links to the first one', () =>
      withSpans(async (spans) => {
        const line = await leg.open()
        const messages: Message[] = []
        {
          await using _ = line
          await line.subscribe('one', {}, (_event, { message }) => void messages.push(message))
          const publisher = line.publisher()
          await publisher.publish({ ...event('1'), time: TIME })
          await eventually(() => assert.equal(messages.length, 1))
          await publisher.publishMessages(
            messages.map(({ destination: _, ...message }) =>
              withReplay({ ...message, event: createEvent(event('1')) }),
            ),
          )
          await eventually(() => assert.equal(messages.length, 2))
        }
        assert.deepEqual(shape(spans, { readings: line.names }), [
          sent('1', 'readings', {
            children: [
              processed('1', 'readings', { parent: 'send readings', links: [{ to: 'send readings' }] }),
            ],
          }),
          sent('1', 'readings', {
            trace: 2,
            links: [{ to: 'send readings', attributes: { replay: true } }],
            attributes: { 'app.replay': true },
          }),
          processed('1', 'readings', {
            trace: 3,
            links: [{ to: 'send readings#2', attributes: { replay: true } }],
            attributes: { 'app.replay': true, 'app.original_timestamp': TIME },
          }),
        ])
      }))

    test('what waited longer than delayAfterMs is handled in a trace of its own that links to the send', () =>
      withSpans(async (spans) => {
        const line = await leg.open()
        let handled = 0
        {
          await using _ = line
          await line.subscribe('one', { delayAfterMs: 0 }, () => void handled++)
          await line.publisher().publish({ ...event('1'), time: TIME })
          await eventually(() => assert.equal(handled, 1))
        }
        assert.deepEqual(shape(spans, { readings: line.names }), [
          sent('1', 'readings'),
          processed('1', 'readings', {
            trace: 2,
            links: [{ to: 'send readings', attributes: { delayed: true } }],
            attributes: { 'throughline.delayed': true, 'app.original_timestamp': TIME },
          }),
        ])
      }))
  })
}
