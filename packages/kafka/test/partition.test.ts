import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PermanentError } from '@throughline/core'
import type { KafkaPartitioner } from '@throughline/kafka'
import { createRotation, partitionerOf } from '../src/partition.ts'

test('keys go where the Java client puts them', () => {
  // Utils.murmur2 of Kafka's own UtilsTest, without the sign bit.
  const hashes = {
    '21': -973932308,
    foobar: -790332482,
    'a-little-bit-long-string': -985981536,
    'a-little-bit-longer-string': -1486304829,
    abc: 479470107,
  }
  const partitionOf = partitionerOf('murmur2')
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

test('keys go where librdkafka puts them, where asked to', () => {
  // The check value of CRC-32/ISO-HDLC.
  assert.equal(partitionerOf('crc32')(Buffer.from('123456789'), 2 ** 32), 0xcbf43926)
  assert.equal(partitionerOf('crc32')(Buffer.from('123456789'), 7), 0xcbf43926 % 7)
})

test('a partitioner of the caller’s own is asked, and a name that there is not is refused', () => {
  assert.equal(partitionerOf((key, partitions) => key.byteLength % partitions)(Buffer.from('abcd'), 3), 1)
  const wrong: KafkaPartitioner = JSON.parse('"random"')
  assert.throws(() => partitionerOf(wrong), PermanentError)
})
