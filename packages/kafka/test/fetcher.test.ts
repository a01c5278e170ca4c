import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { type Assignment, createAssignment } from '../src/assignment.ts'
import { createFetcher } from '../src/fetcher.ts'
import type { Membership } from '../src/membership.ts'
import { connectionOf } from '../src/options.ts'

/** Reads a partition at offset 10 of a log that was cut to nothing; `meanwhile` happens while the offsets are asked for. */
async function rewind(t: TestContext, meanwhile: (assignment: Assignment) => void) {
  const assignment = createAssignment('orders', 0, 10n, 10n)
  const rewound: bigint[] = []
  const done = Promise.withResolvers<void>()
  const consumer = {
    metadata: async () => ({ topics: new Map([['orders', { id: 'id', partitions: [{ leader: 1 }] }]]) }),
    fetch: () => Promise.reject(Object.assign(new Error('cut'), { apiId: 'OFFSET_OUT_OF_RANGE' })),
    async listOffsets() {
      meanwhile(assignment)
      return new Map([['orders', [0n]]])
    },
  } as unknown as Membership['consumer']
  const fetcher = createFetcher(
    connectionOf({ brokers: 'localhost' }),
    { consumer },
    {
      maxFetchBytes: 1000,
      lostAfterMs: 60_000,
      start: 'earliest',
      assignments: () => [assignment],
      onFetched: () => done.resolve(),
      onRewound: (_, position) => rewound.push(position),
      onLost: (error) => done.reject(error),
    },
  )
  t.after(() => fetcher.close())
  fetcher.fill()
  await done.promise
  return rewound
}

test('a partition whose log was cut begins again', async (t) => {
  assert.deepEqual(await rewind(t, () => undefined), [0n])
})

test('one that is given away meanwhile does not', async (t) => {
  assert.deepEqual(await rewind(t, ({ abandon }) => abandon(new Error('revoked'))), [])
  const revoke = (assignment: Assignment) => {
    assignment.revoking = true
  }
  assert.deepEqual(await rewind(t, revoke), [])
})
