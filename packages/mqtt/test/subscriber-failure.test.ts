import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PermanentError, UnavailableError } from '@throughline/core'
import { eventually } from '@throughline/testkit'
import { connack, disconnect, packet, publish } from './scripted-broker.ts'
import { ACCEPT, broker, reading, subscriber } from './scripted-reading.ts'

test('a SUBSCRIBE that is refused behind a full window ends the reading', async (t) => {
  const scripted = await broker(t)
  const waiting = [1, 2].map((id) => publish('a', 'x', 1, id))
  scripted.on('connect', () => Buffer.concat([connack(0), ...waiting]))
  scripted.on('subscribe', ({ rest }) =>
    packet('suback', 0, Buffer.from([rest[0] ?? 0, rest[1] ?? 0, 0, 0x87])),
  )
  const made = subscriber(t, scripted, { window: 2 })
  await made.open()
  const { deliveries, ended } = reading(made)
  await eventually(() => assert.equal(deliveries.length, 2))
  await made.settle(deliveries, ACCEPT)
  const error = await ended
  assert.ok(error instanceof PermanentError && /Not authorized/.test(error.message))
})

test('a lost connection ends reading as unavailable, the next reading connects, and old deliveries settle nothing', async (t) => {
  const scripted = await broker(t)
  const made = subscriber(t, scripted)
  const before = reading(made)
  await made.open()
  scripted.send(publish('a', '1', 1, 1))
  await eventually(() => assert.equal(before.deliveries.length, 1))
  scripted.cut()
  assert.ok((await before.ended) instanceof UnavailableError)
  assert.equal(before.deliveries[0]?.signal?.aborted, true)
  const after = reading(made)
  await made.open()
  await made.settle(before.deliveries, ACCEPT)
  scripted.send(publish('a', '1', 1, 1, true))
  await eventually(() => assert.equal(after.deliveries.length, 1))
  await made.settle(after.deliveries, ACCEPT)
  await made.close()
  assert.deepEqual(scripted.ids('puback'), [1])
})

test('a session that was taken over is a permanent error, and is not fought for', async (t) => {
  const scripted = await broker(t)
  const made = subscriber(t, scripted)
  const { ended } = reading(made)
  await made.open()
  scripted.send(disconnect(142))
  const check = (error: unknown) =>
    error instanceof PermanentError &&
    error.code === 'TL_SESSION_TAKEN_OVER' &&
    /"edge-sub" and took over the session/.test(error.message)
  assert.ok(check(await ended))
  await assert.rejects(() => made.open(), check)
  await assert.rejects(async () => {
    for await (const _ of made.deliveries());
  }, check)
  assert.equal(scripted.received.filter(({ name }) => name === 'connect').length, 1)
})

test('a broker that hangs up three times right after accepting has handed the session to another client', async (t) => {
  const scripted = await broker(t)
  const made = subscriber(t, scripted)
  const endings: unknown[] = []
  for (let round = 0; round < 3; round++) {
    await made.open()
    const { ended } = reading(made)
    scripted.hangUp()
    endings.push(await ended)
  }
  const [first, second, third] = endings
  assert.ok(first instanceof UnavailableError && second instanceof UnavailableError)
  assert.ok(third instanceof PermanentError)
  assert.equal(third.code, 'TL_SESSION_TAKEN_OVER')
  await assert.rejects(() => made.open(), third)
})

test('connections that break, or brokers that are away in between, are no rival', async (t) => {
  const scripted = await broker(t)
  const made = subscriber(t, scripted)
  for (let round = 0; round < 8; round++) {
    await made.open()
    const { ended } = reading(made)
    if (round % 3 === 2) scripted.cut()
    else scripted.hangUp()
    assert.ok((await ended) instanceof UnavailableError)
  }
})

test('other reasons to disconnect are named and may pass', async (t) => {
  const scripted = await broker(t)
  const made = subscriber(t, scripted)
  const { ended } = reading(made)
  await made.open()
  scripted.send(disconnect(139))
  const error = await ended
  assert.ok(error instanceof UnavailableError)
  assert.match(error.message, /Server shutting down \(139\)/)
})

test('a subscription that is refused is a permanent error naming filter and reason', async (t) => {
  const scripted = await broker(t)
  scripted.on('subscribe', ({ rest }) =>
    packet('suback', 0, Buffer.from([rest[0] ?? 0, rest[1] ?? 0, 0, 1, 0x87])),
  )
  await assert.rejects(
    () => subscriber(t, scripted, { topics: ['a', 'secret/#'] }).open(),
    (error) =>
      error instanceof PermanentError && /"secret\/#" failed: Not authorized \(135\)/.test(error.message),
  )
})

test('a lower quality of service than asked is refused, because it could lose', async (t) => {
  const scripted = await broker(t)
  scripted.on('subscribe', ({ rest }) => packet('suback', 0, Buffer.from([rest[0] ?? 0, rest[1] ?? 0, 0, 0])))
  await assert.rejects(() => subscriber(t, scripted).open(), /grants QoS 0 for "#"/)
})

test('bad credentials are a permanent error naming them', async (t) => {
  const scripted = await broker(t)
  scripted.on('connect', () => connack(134))
  await assert.rejects(
    () => subscriber(t, scripted).open(),
    (error) => error instanceof PermanentError && /Bad User Name or Password/.test(error.message),
  )
})

test('a broker that does not answer SUBSCRIBE is unavailable', async (t) => {
  const scripted = await broker(t)
  scripted.on('subscribe', () => null)
  await assert.rejects(() => subscriber(t, scripted, {}, { connectTimeoutMs: 100 }).open(), UnavailableError)
})
