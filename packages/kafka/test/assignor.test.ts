import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { assignCooperatively, type GroupMember } from '../src/assignor.ts'

type Owned = Map<string, string[]>

/** Joins with what each one owns, until nobody has to give anything up. */
function rebalance(counts: ReadonlyMap<string, number>, before: Owned, generation: number) {
  let owned = before
  for (let round = 1; ; round++) {
    const assigned = assignCooperatively(members(counts, owned, generation + round), counts)
    const next: Owned = new Map(
      [...assigned].map(([id, places]) => [
        id,
        places.map(({ topic, partition }) => `${topic}/${partition}`),
      ]),
    )
    // Two never own one partition, in no round: not even who is still to give it up.
    const all = [...next].flatMap(([id, places]) => [...new Set([...places, ...(owned.get(id) ?? [])])])
    assert.equal(new Set(all).size, all.length)
    const revoked = [...owned].some(([id, places]) => places.some((place) => !next.get(id)?.includes(place)))
    owned = next
    if (!revoked) return { owned, rounds: round }
  }
}

function members(
  counts: ReadonlyMap<string, number>,
  owned: Owned,
  generation: number,
): Map<string, GroupMember> {
  return new Map(
    [...owned].map(([id, places]) => {
      const pairs = places.map((place): [string, number] => {
        const [topic = '', partition = ''] = place.split('/')
        return [topic, Number(partition)]
      })
      const grouped = [...Map.groupBy(pairs, ([topic]) => topic)]
      const claimed = grouped.map(([topic, those]) => ({
        topic,
        partitions: those.map(([, partition]) => partition),
      }))
      return [
        id,
        { topics: [...counts.keys()], owned: claimed, generation: places.length === 0 ? -1 : generation },
      ]
    }),
  )
}

const sizes = (owned: Owned) => [...owned.values()].map((places) => places.length).toSorted()

test('one member has everything', () => {
  const counts = new Map([['orders', 4]])
  assert.deepEqual(sizes(rebalance(counts, new Map([['a', []]]), 0).owned), [4])
})

test('a third member of four partitions is not left without one', () => {
  const counts = new Map([['orders', 4]])
  const two: Owned = new Map([
    ['a', ['orders/0', 'orders/1']],
    ['b', ['orders/2', 'orders/3']],
    ['c', []],
  ])
  const { owned } = rebalance(counts, two, 5)
  assert.deepEqual(sizes(owned), [1, 1, 2])
})

test('what moves is given up in one round and assigned in the next', () => {
  const counts = new Map([['orders', 2]])
  const before = members(
    counts,
    new Map([
      ['a', ['orders/0', 'orders/1']],
      ['b', []],
    ]),
    3,
  )
  const first = assignCooperatively(before, counts)
  assert.equal(first.get('a')?.length, 1)
  assert.deepEqual(first.get('b'), [])
})

test('claims of a member that was thrown out do not count, and two who claim the same are not believed', () => {
  const counts = new Map([['orders', 1]])
  const owned = [{ topic: 'orders', partitions: [0] }]
  const stale = new Map<string, GroupMember>([
    ['a', { topics: ['orders'], owned, generation: 3 }],
    ['b', { topics: ['orders'], owned, generation: 4 }],
  ])
  assert.deepEqual(assignCooperatively(stale, counts).get('b'), [{ topic: 'orders', partition: 0 }])
  const both = new Map<string, GroupMember>([
    ['a', { topics: ['orders'], owned, generation: 4 }],
    ['b', { topics: ['orders'], owned, generation: 4 }],
  ])
  assert.deepEqual([...assignCooperatively(both, counts).values()].flat(), [])
})

test('a topic goes only to members that subscribe to it', () => {
  const subscribed = new Map<string, GroupMember>([
    ['a', { topics: ['orders'], owned: [], generation: -1 }],
    ['b', { topics: ['orders', 'alerts'], owned: [], generation: -1 }],
  ])
  const counts = new Map([
    ['alerts', 3],
    ['orders', 3],
  ])
  const assigned = assignCooperatively(subscribed, counts)
  assert.deepEqual(new Set(assigned.get('a')?.map(({ topic }) => topic)), new Set(['orders']))
  assert.equal([...assigned.values()].flat().length, 6)
  assert.equal(assigned.get('a')?.length, 3)
})

test('however members come and go, all is assigned, evenly, in at most three rounds, and nothing moves without need', () => {
  const steps = fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 6 })
  const topics = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 3 })
  fc.assert(
    fc.property(steps, topics, (memberCounts, partitions) => {
      const counts = new Map(partitions.map((count, index) => [`topic-${index}`, count]))
      const total = partitions.reduce((sum, count) => sum + count, 0)
      let owned: Owned = new Map()
      memberCounts.forEach((memberCount, step) => {
        const ids = Array.from({ length: memberCount }, (_, index) => `member-${index}`)
        const before: Owned = new Map(ids.map((id) => [id, owned.get(id) ?? []]))
        const result = rebalance(counts, before, step * 10)
        owned = result.owned
        assert.ok(result.rounds <= 3, `${result.rounds} rounds`)
        const loads = sizes(owned)
        assert.equal(
          loads.reduce((sum, load) => sum + load, 0),
          total,
        )
        assert.ok((loads.at(-1) ?? 0) - (loads[0] ?? 0) <= 1, loads.join())
        for (const [id, places] of before) {
          const kept = places.filter((place) => owned.get(id)?.includes(place)).length
          const quota = Math.floor(total / memberCount)
          assert.ok(kept >= Math.min(places.length, quota), `${id} kept ${kept} of ${places.length}`)
        }
      })
    }),
  )
})
