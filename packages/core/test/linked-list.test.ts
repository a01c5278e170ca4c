import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLinkedList } from '../src/linked-list.ts'

test('items stand in the order in which they were added, whichever are taken out', () => {
  const list = createLinkedList<number>()
  const places = [1, 2, 3, 4, 5].map((item) => list.add(item))
  const [one, , three, , five] = places
  for (const place of [three, one, five]) {
    assert.ok(place !== undefined && list.remove(place))
    assert.equal(list.remove(place), false, 'it is out already')
  }
  assert.deepEqual([[...list], list.size], [[2, 4], 2])
  list.add(6)
  assert.deepEqual([...list], [2, 4, 6])
})

test('all are taken out at once, in their order, and others added after', () => {
  const list = createLinkedList<string>()
  const place = list.add('a')
  list.add('b')
  assert.deepEqual(list.clear(), ['a', 'b'])
  assert.equal(list.remove(place), false)
  assert.deepEqual([[...list], list.size], [[], 0])
  list.add('c')
  assert.deepEqual([...list], ['c'])
})
