import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { headerText, type Message, PermanentError } from '@throughline/core'
import { eventually, withSpans } from '@throughline/testkit'
import { legs } from './legs.ts'
import { event, processed, sent, shape } from './shape.ts'

const FAST = { minMs: 1, maxMs: 2 }

const failed = (type: string, message: string) => ({
  status: { code: 'ERROR' as const, message },
  events: [{ name: 'exception', attributes: { 'exception.type': type, 'exception.message': message } }],
})

for (const leg of legs) {
  describe(`a handler that fails over ${leg.system}`, () => {
    if (leg.redelivers)
      test('is tried again in spans with the same parent, each linked to the attempt before', () =>
        withSpans(async (spans) => {
          const line = await leg.open()
          let calls = 0
          {
            await using _ = line
            await line.subscribe('one', { retry: FAST }, () => {
              if (++calls < 3) throw new TypeError(`attempt ${calls}`)
            })
            await line.publisher().publish(event('1'))
            await eventually(() => assert.equal(calls, 3))
          }
          const hop = { to: 'send readings' }
          const attempt = (number: number, before?: string) =>
            processed('1', 'readings', {
              parent: 'send readings',
              links: before === undefined ? [hop] : [hop, { to: before, attributes: { retry: true } }],
              attributes: {
                ...(number === 1 ? {} : { 'throughline.attempt': number }),
                ...(number === 3 ? {} : { 'error.type': 'TypeError', 'throughline.outcome': 'release' }),
              },
              ...(number === 3 ? {} : failed('TypeError', `attempt ${number}`)),
            })
          assert.deepEqual(shape(spans, { readings: line.names }), [
            sent('1', 'readings', {
              children: [attempt(1), attempt(2, 'process readings'), attempt(3, 'process readings#2')],
            }),
          ])
        }))

    test('for good leaves a dead letter that links back and says why, from where and after how many attempts', () =>
      withSpans(async (spans) => {
        const line = await leg.open()
        const dead = await leg.open('dead')
        const letters: Message[] = []
        {
          await using _ = line
          await using __ = dead
          await dead.subscribe('one', {}, (_event, { message }) => void letters.push(message))
          const deadLetter = { publisher: dead.publisher(), route: 'readings' }
          await line.subscribe('one', { deadLetter }, () => {
            throw new PermanentError('never')
          })
          await line.publisher().publish(event('1'))
          await eventually(() => assert.equal(letters.length, 1))
        }
        const header = (name: string) => headerText(letters[0]?.headers ?? [], `throughline-${name}`)
        assert.deepEqual(
          [header('dead-letter-reason'), header('dead-letter-attempts'), header('dead-letter-route')],
          ['never', '1', 'readings'],
        )
        assert.ok(header('dead-letter-source')?.includes(line.names.at(-1) ?? '?'))
        assert.deepEqual(shape(spans, { readings: line.names, dead: dead.names }), [
          sent('1', 'readings', {
            children: [
              processed('1', 'readings', {
                parent: 'send readings',
                links: [{ to: 'send readings' }],
                attributes: { 'error.type': 'TL_PERMANENT', 'throughline.outcome': 'reject' },
                ...failed('TL_PERMANENT', 'never'),
                children: [
                  sent('1', 'dead', {
                    parent: 'process readings',
                    links: [{ to: 'process readings', attributes: { dead_letter: true } }],
                    attributes: {
                      'throughline.dead_letter': true,
                      'throughline.dead_letter.reason': 'TL_PERMANENT',
                    },
                    children: [processed('1', 'dead', { parent: 'send dead', links: [{ to: 'send dead' }] })],
                  }),
                ],
              }),
            ],
          }),
        ])
      }))
  })
}
