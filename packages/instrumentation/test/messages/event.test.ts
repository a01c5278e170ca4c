import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventOf } from '../../src/messages/event.ts'

const kafka = { prefixes: ['ce_'] }
const rabbitmq = { prefixes: ['cloudevents:', 'cloudevents_'] }
const mqtt = { prefixes: [''] }
const event = { specversion: '1.0', id: '1', source: '/a', type: 't' } as const
const structured = Buffer.from(JSON.stringify({ ...event, subject: 's', data: { a: 1 } }))
const JSON_EVENT = 'application/cloudevents+json; charset=utf-8'

function binary(prefix: string) {
  return Object.entries(event).map(([name, value]) => [`${prefix}${name}`, value] as const)
}

test('a binary event is read by its prefix, in any case, from text and bytes', () => {
  assert.deepEqual(eventOf(binary('ce_'), 'text/plain', null, kafka), event)
  assert.deepEqual(eventOf(binary('Ce_'), undefined, null, kafka), event)
  assert.deepEqual(eventOf(binary('cloudEvents:'), undefined, null, rabbitmq), event)
  assert.deepEqual(eventOf(binary('cloudEvents_'), undefined, null, rabbitmq), event)
  assert.deepEqual(eventOf(binary(''), undefined, null, mqtt), event)
  const bytes = binary('ce_').map(([name, value]) => [name, Buffer.from(value)] as const)
  assert.deepEqual(eventOf([...bytes, ['ce_subject', Buffer.from('ä')]], undefined, null, kafka), {
    ...event,
    subject: 'ä',
  })
})

test('extensions are not told, but for the origin context', () => {
  const headers = [...binary('ce_'), ['ce_traceparent', '00-1'], ['ce_tenant', 'a']] as const
  assert.deepEqual(eventOf(headers, undefined, null, kafka), { ...event, traceparent: '00-1' })
})

test('a structured event is read from its body', () => {
  const read = { ...event, subject: 's' }
  assert.deepEqual(eventOf([], JSON_EVENT, structured, kafka), read)
  assert.deepEqual(eventOf([], 'Application/CloudEvents+JSON', structured, kafka), read)
})

test('a JSON object with a specversion is one without a content type too', () => {
  assert.deepEqual(eventOf([], undefined, structured, kafka), { ...event, subject: 's' })
  assert.equal(eventOf([], 'application/json', structured, kafka), undefined)
})

test('whatever is no event is none', () => {
  const none: [Uint8Array | null, string | undefined][] = [
    [null, undefined],
    [Buffer.from('{"specversion":"1.0"'), undefined],
    [Buffer.from('{"specversion":"1.0","id":"1"}'), JSON_EVENT],
    [Buffer.from('{"specversion":"0.3","id":"1","source":"/a","type":"t"}'), JSON_EVENT],
    [Buffer.from('null'), JSON_EVENT],
    [Buffer.from([255, 254]), JSON_EVENT],
    [Buffer.alloc(300 * 1024, `{"specversion":"1.0",`), JSON_EVENT],
    [structured, 'application/cloudevents-batch+json'],
  ]
  for (const [body, contentType] of none) assert.equal(eventOf([], contentType, body, kafka), undefined)
  assert.equal(eventOf(binary('ce_').slice(1), undefined, null, kafka), undefined)
})
