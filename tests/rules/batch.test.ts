import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { BatchError } from '@throughline/core'
import { eventually, withSpans } from '@throughline/testkit'
import { legs } from './legs.ts'
import { event, eventAttributes, sent, several, shape } from './shape.ts'

const FAST = { minMs: 1, maxMs: 2 }

for (const leg of legs) {
  describe(`a batch over ${leg.system}`, () => {
    test('of 300 messages loses no link: they stand on parts of 128 that the process span links to', () =>
      withSpans(async (spans) => {
        const count = 300
        const line = await leg.open()
        const sizes: number[] = []
        {
          await using _ = line
          await line.subscribeBatch(
            'all',
            { maxMessages: count, maxWaitMs: 60_000 },
            (events) => void sizes.push(events.length),
          )
          const publisher = line.publisher({ createSpans: false })
          const results = await publisher.publishAll(
            Array.from({ length: count }, (_, index) => event(`${index}`)),
          )
          assert.ok(results.every(({ ok }) => ok))
          await eventually(() => assert.deepEqual(sizes, [count]))
        }
        const trace = count + 1
        const label = (index: number) => (index === 0 ? 'send readings' : `send readings#${index + 1}`)
        const tree = shape(spans, { readings: line.names })
        // Over HTTP requests overtake each other.
        const arrived = tree.at(-1)?.children?.flatMap(({ links = [] }) => links) ?? []
        assert.deepEqual(
          arrived.map(({ to }) => to).toSorted(),
          Array.from({ length: count }, (_, index) => label(index)).toSorted(),
        )
        assert.deepEqual(tree, [
          ...Array.from({ length: count }, (_, index) => sent(`${index}`, 'readings', { trace: index + 1 })),
          several('process', count, 'readings', {
            trace,
            links: ['', '#2', '#3'].map((number) => ({ to: `receive readings${number}` })),
            children: [128, 128, 44].map((size, part) =>
              several('receive', size, 'readings', {
                trace,
                parent: 'process readings',
                links: arrived.slice(part * 128, part * 128 + size).map(({ to }) => ({
                  to,
                  attributes: eventAttributes(`${Number(to.split('#')[1] ?? 1) - 1}`),
                })),
                attributes: { 'throughline.batch.part': `${part + 1}/3` },
              }),
            ),
          }),
        ])
      }))

    if (!leg.redelivers) return
    test('of which one message fails is tried again with that one, linked to the attempt before', () =>
      withSpans(async (spans) => {
        const line = await leg.open()
        const calls: string[][] = []
        {
          await using _ = line
          await line.subscribeBatch('all', { maxMessages: 2, maxWaitMs: 60_000, retry: FAST }, (events) => {
            calls.push(events.map(({ id }) => id))
            if (calls.length === 1) {
              const index = events.findIndex(({ id }) => id === '2')
              throw new BatchError(new Map([[index, new TypeError('not yet')]]))
            }
          })
          const publisher = line.publisher()
          await Promise.all(['1', '2'].map((id) => publisher.publish(event(id))))
          await eventually(() => assert.deepEqual(calls[1], ['2']))
        }
        const links = calls[0]?.map((id) => ({
          to: id === '1' ? 'send readings' : 'send readings#2',
          attributes: eventAttributes(id),
        }))
        const [, , first, second, ...rest] = shape(spans, { readings: line.names })
        assert.deepEqual(rest, [])
        assert.deepEqual(first?.links, links)
        assert.equal(first?.attributes?.['throughline.outcome'], 'release')
        assert.deepEqual(
          second,
          several('process', 1, 'readings', {
            trace: 4,
            links: [
              { to: 'send readings#2', attributes: eventAttributes('2') },
              { to: 'process readings', attributes: { retry: true } },
            ],
            attributes: { 'throughline.attempt': 2 },
          }),
        )
      }))
  })
}
