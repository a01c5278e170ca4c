import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createAssignment } from '../src/assignment.ts'
import { createCommitter } from '../src/committer.ts'

function committing() {
  const assignment = createAssignment('orders', 0, 0n, 0n)
  for (const offset of [0n, 1n, 2n]) assignment.offsets.deliver(offset)
  const commits: bigint[] = []
  const answers: PromiseWithResolvers<void>[] = []
  const committer = createCommitter({
    intervalMs: 0,
    assignments: () => [assignment],
    async commit([due]) {
      const offset = due?.offsets.committable() ?? -1n
      commits.push(offset)
      const answer = Promise.withResolvers<void>()
      answers.push(answer)
      await answer.promise
      assignment.committed = offset
    },
  })
  return { offsets: assignment.offsets, committer, commits, answers }
}

test('nothing is committed where nothing was settled', async () => {
  const { committer, commits } = committing()
  await committer.flush()
  assert.deepEqual(commits, [])
})

test('what is settled while a commit is under way goes with the next one, never beside it', async () => {
  const { committer, offsets, commits, answers } = committing()
  offsets.settle(0n)
  const first = committer.flush()
  offsets.settle(1n)
  const second = committer.flush()
  assert.deepEqual(commits, [1n])
  answers[0]?.resolve()
  await first
  await new Promise(setImmediate)
  answers[1]?.resolve()
  await second
  assert.deepEqual(commits, [1n, 2n])
  committer.close()
})

test('a commit that was refused is offered again', async () => {
  const { committer, offsets, commits, answers } = committing()
  offsets.settle(0n)
  const refused = committer.flush()
  answers[0]?.reject(new Error('the group is rebalancing'))
  await refused
  const again = committer.flush()
  await new Promise(setImmediate)
  answers[1]?.resolve()
  await again
  assert.deepEqual(commits, [1n, 1n])
  committer.close()
})
