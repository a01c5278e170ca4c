import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createRotation, partitionOf } from '../src/partition.ts'

test('keys go where the Java client puts them', () => {
  // Utils.murmur2 of Kafka's own UtilsTest, without the sign bit.
  const hashes = {
    '21': -973932308,
    foobar: -790332482,
    'a-little-bit-long-string': -985981536,
    'a-little-bit-longer-string': -1486304829,
    abc: 479470107,
  }
  for (const [key, hash] of Object.entries(hashes)) {
    for (const partitions of [1, 3, 7, 1000]) {
      assert.equal(partitionOf(Buffer.from(key), partitions), (hash & 0x7fffffff) % partitions, key)
    }
  }
})

test('without keys a batch keeps its partition and the next one goes to the next', () => {
  const rotation = createRotation(7)
  assert.equal(rotation.next(3), 1)
  assert.equal(rotation.next(3), 1)
  rotation.sent(1)
  assert.equal(rotation.next(3), 2)
  rotation.sent(0)
  assert.equal(rotation.next(3), 2)
  rotation.sent(2)
  assert.equal(rotation.next(3), 0)
})
