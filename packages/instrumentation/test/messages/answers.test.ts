import assert from 'node:assert/strict'
import { test } from 'node:test'
import { whenAnswered } from '../../src/messages/answers.ts'

function asked(call: () => Promise<string>) {
  const told: unknown[] = []
  const answer = () =>
    whenAnswered(
      call,
      (value) => told.push(value),
      (error) => told.push(error),
    )
  return { told, answer }
}

test('an answer is told before it goes on', async () => {
  const { told, answer } = asked(async () => 'sent')
  assert.equal(await answer().then((value) => [...told, value].join()), 'sent,sent')
})

test('what a call throws is told and thrown at once, what it rejects with rejects', async () => {
  const error = new Error('refused')
  const thrown = asked(() => {
    throw error
  })
  assert.throws(thrown.answer, error)
  assert.deepEqual(thrown.told, [error])
  const rejected = asked(() => Promise.reject(error))
  await assert.rejects(rejected.answer(), error)
  assert.deepEqual(rejected.told, [error])
})
