import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ReturnedMessage } from 'rabbitmq-client'
import { blameCode, noteReturn, type Outgoing } from '../src/outgoing.ts'

function outgoing(headers?: Record<string, string>, routingKey = 'r'): Outgoing {
  const route = { exchange: 'e', routingKey }
  return {
    ...route,
    envelope: { ...route, ...(headers && { headers }) },
    body: Buffer.from('same'),
  }
}

function returned({ exchange, routingKey, envelope: { headers }, body }: Outgoing): ReturnedMessage {
  const content = { durable: true, body, ...(headers && { headers: { ...headers } }) }
  return { replyCode: 312, replyText: 'NO_ROUTE', exchange, routingKey, ...content }
}

function refusal(code: string, message: string): Error {
  return Object.assign(new Error(message), { code })
}

test('of messages that differ by their headers alone the one that came back is found', () => {
  const red = outgoing({ colour: 'red' })
  const blue = outgoing({ colour: 'blue' })
  noteReturn(new Set([red, blue]), returned(blue))
  assert.equal(red.returned, undefined)
  assert.equal(blue.returned, 'NO_ROUTE')
})

test('equal messages that come back are found one after the other', () => {
  const first = outgoing()
  const second = outgoing()
  const underWay = new Set([outgoing({}, 'another'), first, second])
  noteReturn(underWay, returned(first))
  assert.deepEqual([first.returned, second.returned], ['NO_ROUTE', undefined])
  noteReturn(underWay, returned(first))
  assert.equal(second.returned, 'NO_ROUTE')
})

test('headers that come back otherwise than they were sent hide no message', () => {
  const sent = outgoing({ BCC: 'copy', colour: 'red' })
  noteReturn(new Set([sent]), returned(outgoing({ colour: 'red' })))
  assert.equal(sent.returned, 'NO_ROUTE')
})

test('a refused topic is blamed on the messages with its routing key alone', () => {
  const text =
    "BasicPublish: write access to topic 'secret' in exchange 'e' in vhost '/' refused for user 'u'"
  const reason = refusal('ACCESS_REFUSED', text)
  assert.equal(blameCode(outgoing({}, 'secret'), reason), 'TL_RABBITMQ_REFUSED')
  assert.equal(blameCode(outgoing({}, 'public'), reason), undefined)
  const all = refusal('ACCESS_REFUSED', "BasicPublish: write access to exchange 'e' in vhost '/' refused")
  assert.equal(blameCode(outgoing({}, 'public'), all), 'TL_RABBITMQ_REFUSED')
})
