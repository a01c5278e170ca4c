import assert from 'node:assert/strict'
import { test } from 'node:test'
import { kafka } from '../../src/systems/kafka.ts'

const KEY = 'messaging.kafka.message.key'

test('the key is told where it is text, whether it is handed over as text or as bytes', () => {
  const keys: [key: string | Uint8Array | undefined, told: string | undefined][] = [
    ['4711', '4711'],
    ['', ''],
    [Buffer.from('4711'), '4711'],
    [new TextEncoder().encode('Zürich'), 'Zürich'],
    [undefined, undefined],
    // A number in binary, and what is no UTF-8.
    [Buffer.from([0, 0, 0x12, 0x67]), undefined],
    [Buffer.from([0xff, 0xfe, 0x41]), undefined],
  ]
  for (const [key, told] of keys) {
    const message = { headers: [], body: Buffer.from('{}'), ...(key === undefined ? {} : { key }) }
    const position = { destination: 'orders', partition: 0, offset: 0n }
    assert.equal(kafka.attributes.delivered({ message, position, attempt: 1 })[KEY], told, String(key))
    assert.equal(kafka.attributes.sent(message, 'orders')[KEY], told, String(key))
  }
})
