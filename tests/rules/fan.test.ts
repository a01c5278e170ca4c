import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { eventually, withSpans } from '@throughline/testkit'
import { legs } from './legs.ts'
import { created, event, eventAttributes, processed, sent, several, shape } from './shape.ts'

/** One event to many, and many to one: DESIGN's tree for each transport that can. */

const CONSUMERS = ['inventory', 'payment', 'notification', 'shipping', 'analytics']

for (const leg of legs) {
  describe(leg.system, () => {
    test('one event is one send span and under it one process span a consumer', async (t) => {
      const consumers = leg.fansOut ? CONSUMERS : CONSUMERS.slice(0, 1)
      if (!leg.fansOut) t.diagnostic(`${leg.system}: a message has one receiver`)
      await withSpans(async (spans) => {
        const handled: string[] = []
        const line = await leg.open()
        {
          await using _ = line
          for (const consumer of consumers)
            await line.subscribe(consumer, {}, () => void handled.push(consumer))
          await line.publisher().publish(event('1'))
          await eventually(() => assert.deepEqual(handled.toSorted(), consumers.toSorted()))
        }
        assert.deepEqual(shape(spans, { readings: line.names }), [
          sent('1', 'readings', {
            children: consumers.map(() =>
              processed('1', 'readings', { parent: 'send readings', links: [{ to: 'send readings' }] }),
            ),
          }),
        ])
      })
    })

    test('events of several traces that one is made of are all linked to it, and keep to their own traces', () =>
      withSpans(async (spans) => {
        const line = await leg.open()
        const sums = await leg.open('sums')
        const summed: string[] = []
        {
          await using _ = line
          await using __ = sums
          await sums.subscribe('report', {}, ({ id }) => void summed.push(id))
          await line.subscribeBatch('sum', { maxMessages: 3, maxWaitMs: 60_000 }, async () => {
            await sums.publisher().publish(event('sum'))
          })
          const publisher = line.publisher()
          await Promise.all(['1', '2', '3'].map((id) => publisher.publish(event(id))))
          await eventually(() => assert.deepEqual(summed, ['sum']))
        }
        const numbers = ['', '#2', '#3']
        assert.deepEqual(shape(spans, { readings: line.names, sums: sums.names }), [
          ...numbers.map((_, index) => sent(`${index + 1}`, 'readings', { trace: index + 1 })),
          several('process', 3, 'readings', {
            trace: 4,
            links: numbers.map((number, index) => ({
              to: `send readings${number}`,
              attributes: eventAttributes(`${index + 1}`),
            })),
            children: [
              sent('sum', 'sums', {
                trace: 4,
                parent: 'process readings',
                children: [
                  processed('sum', 'sums', {
                    trace: 4,
                    parent: 'send sums',
                    links: [{ to: 'send sums' }],
                  }),
                ],
              }),
            ],
          }),
        ])
      }))

    test('several events in one call are a create span each, in traces of their own, and one send that links to them', () =>
      withSpans(async (spans) => {
        const line = await leg.open()
        const handled: string[] = []
        {
          await using _ = line
          await line.subscribe('one', { concurrency: 1 }, ({ id }) => void handled.push(id))
          const results = await line.publisher().publishAll(['1', '2', '3'].map(event))
          assert.ok(results.every(({ ok }) => ok))
          await eventually(() => assert.equal(handled.length, 3))
        }
        const label = (index: number) => `create readings${index === 0 ? '' : `#${index + 1}`}`
        const links = [0, 1, 2].map((index) => ({ to: label(index) }))
        assert.deepEqual(shape(spans, { readings: line.names }), [
          ...links.map((link, index) =>
            created(`${index + 1}`, 'readings', {
              trace: index + 1,
              children: [
                processed(`${index + 1}`, 'readings', { trace: index + 1, parent: link.to, links: [link] }),
              ],
            }),
          ),
          several('send', 3, 'readings', { trace: 4, links }),
        ])
      }))
  })
}
