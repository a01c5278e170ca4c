import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PermanentError, UnavailableError } from '@throughline/core'
import { eventually } from '@throughline/testkit'
import { mqttTransport } from '../src/transport.ts'
import { publish } from './scripted-broker.ts'
import { ACCEPT, broker, reading, subscriber } from './scripted-reading.ts'

test('an aborted reading ends, and what it had is settled afterwards', async (t) => {
  const scripted = await broker(t)
  const made = subscriber(t, scripted)
  const abort = new AbortController()
  const { deliveries, ended } = reading(made, abort.signal)
  await made.open()
  scripted.send(publish('a', '1', 1, 1))
  await eventually(() => assert.equal(deliveries.length, 1))
  abort.abort()
  assert.equal(await ended, 'ended')
  await made.settle(deliveries, ACCEPT)
  await made.close()
  assert.deepEqual(scripted.ids('puback'), [1])
})

test('a reading whose signal is aborted already connects to nothing', async (t) => {
  const scripted = await broker(t)
  assert.equal(await reading(subscriber(t, scripted), AbortSignal.abort()).ended, 'ended')
  assert.deepEqual(scripted.received, [])
})

test('close sends what is settled and then DISCONNECT, leaves the rest, and ends reading', async (t) => {
  const scripted = await broker(t)
  const made = subscriber(t, scripted)
  const { deliveries, ended } = reading(made)
  await made.open()
  scripted.send(...[1, 2, 3].map((id) => publish('a', 'x', 1, id)))
  await eventually(() => assert.equal(deliveries.length, 3))
  void made.settle(deliveries.slice(0, 2), ACCEPT)
  await made.close()
  await made.close()
  assert.equal(await ended, 'ended')
  await made.settle(deliveries, ACCEPT)
  assert.deepEqual(scripted.ids('puback'), [1, 2])
  assert.equal(scripted.received.at(-1)?.name, 'disconnect')
  assert.equal(await reading(made).ended, 'ended')
  await assert.rejects(() => made.open(), PermanentError)
})

test('close with a full window and unread messages ends in good order', async (t) => {
  const scripted = await broker(t)
  const made = subscriber(t, scripted, { window: 1 })
  const { deliveries } = reading(made)
  await made.open()
  scripted.send(...Array.from({ length: 5000 }, (_, index) => publish('a', 'x'.repeat(100), 1, index + 1)))
  await eventually(() => assert.equal(deliveries.length, 1))
  await made.close()
  assert.equal(scripted.received.at(-1)?.name, 'disconnect')
  assert.deepEqual(scripted.ids('puback'), [])
})

test('close while connecting gives up at once', async (t) => {
  const scripted = await broker(t)
  scripted.on('connect', () => null)
  const made = subscriber(t, scripted)
  const opening = made.open()
  await eventually(() => assert.equal(scripted.received.length, 1))
  await Promise.all([made.close(), assert.rejects(() => opening, UnavailableError)])
})

test('the session of a made-up client id is ended on close, that of a given one is kept', async (t) => {
  const scripted = await broker(t)
  const transport = mqttTransport({ url: scripted.url })
  for (const made of [transport.subscriber({ topics: ['#'] }), subscriber(t, scripted)]) {
    await made.open()
    await made.close()
  }
  const disconnects = scripted.received
    .filter(({ name }) => name === 'disconnect')
    .map(({ rest }) => [...rest])
  // Reason 0, five bytes of properties: Session Expiry Interval 0.
  assert.deepEqual(disconnects[0], [0, 5, 0x11, 0, 0, 0, 0])
  assert.notDeepEqual(disconnects[1]?.slice(0, 3), [0, 5, 0x11])
})
