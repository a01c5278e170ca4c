import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createSequence } from '../src/sequence.ts'

test('a batch keeps its number until it is confirmed, and the next one follows', async () => {
  let ids = 0n
  const sequence = createSequence(async () => ({ producerId: ++ids, producerEpoch: 0 }))
  assert.deepEqual(await sequence.number(), { producerId: 1n, producerEpoch: 0, first: 0 })
  assert.deepEqual(await sequence.number(), { producerId: 1n, producerEpoch: 0, first: 0 })
  sequence.confirmed(5)
  assert.deepEqual(await sequence.number(), { producerId: 1n, producerEpoch: 0, first: 5 })
  sequence.renew()
  assert.deepEqual(await sequence.number(), { producerId: 2n, producerEpoch: 0, first: 0 })
})

test('numbers begin again after the last one', async () => {
  const sequence = createSequence(async () => ({ producerId: 1n, producerEpoch: 0 }))
  sequence.confirmed(2 ** 31 - 2)
  sequence.confirmed(5)
  assert.equal((await sequence.number()).first, 3)
})

test('an id that could not be had is asked for again', async () => {
  let fails = true
  const sequence = createSequence(async () => {
    if (fails) throw new Error('away')
    return { producerId: 1n, producerEpoch: 0 }
  })
  await assert.rejects(sequence.number(), /away/)
  fails = false
  assert.equal((await sequence.number()).producerId, 1n)
})
