import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, connect as openSocket, Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { type Header, type Message, PermanentError, UnavailableError } from '@throughline/core'
import { eventually } from '@throughline/testkit'
import { BLOCKED_CODE, NOT_FOUND_CODE, UNROUTABLE_CODE } from '../src/errors.ts'
import { rabbitmqTransport } from '../src/transport.ts'
import {
  amqpUrl,
  failures,
  message,
  numbered,
  proxied,
  publisherOf,
  queueOf,
  stranger,
  subscriberOf,
  take,
  textOf,
  unique,
} from './support.ts'

const bytes = (size: number) => Uint8Array.from({ length: size }, (_, index) => index % 251)

test('bodies arrive to the byte under every content type: none, one, all values, a mebibyte', async (t) => {
  const { queue, declare } = queueOf()
  const publisher = publisherOf(t, { routingKey: queue, declare })
  const bodies = [new Uint8Array(), Uint8Array.of(7), Uint8Array.from(Array(256).keys()), bytes(2 ** 20)]
  const json = ['{ "a" : 1.0, "b":12345678901234567890 }', 'not JSON', 'null'].map((text) =>
    Buffer.from(text),
  )
  const messages = [undefined, 'application/json', 'text/plain', 'image/png'].flatMap((contentType) =>
    [...bodies, ...json].map((body) => message(body, contentType === undefined ? {} : { contentType })),
  )
  assert.deepEqual(failures(await publisher.publish(messages)), [])
  const arrived = await take(subscriberOf(t, { queue }), messages.length)
  for (const [index, { message: got }] of arrived.entries()) {
    assert.ok(
      Buffer.from(got.body ?? []).equals(Buffer.from(messages[index]?.body ?? [])),
      `message ${index}`,
    )
    assert.equal(got.contentType, messages[index]?.contentType)
  }
})

test('headers, content type and properties arrive as they were sent', async (t) => {
  const { queue, declare } = queueOf()
  const headers: Header[] = [
    ['traceparent', '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'],
    ['twice', '1'],
    ['twice', '2'],
    ['ünï', '€ 🎉 "x"'],
    ['empty', ''],
    ['long', 'x'.repeat(100_000)],
  ]
  const properties = { messageId: 'm', correlationId: 'c', replyTo: 'r', priority: 3, expiryMs: 60_000 }
  const sent: Message = {
    body: Buffer.from('x'),
    headers,
    contentType: 'text/plain; charset=utf-8',
    properties: { ...properties, timestampMs: 1_700_000_000_000 },
  }
  assert.deepEqual(failures(await publisherOf(t, { routingKey: queue, declare }).publish([sent])), [])
  const [arrived] = await take(subscriberOf(t, { queue }), 1)
  assert.deepEqual(arrived?.message.headers, headers)
  assert.equal(arrived?.message.contentType, sent.contentType)
  assert.deepEqual(arrived?.message.properties, sent.properties)
})

test('messages are persistent unless told otherwise, with the app id and no time of our own', async (t) => {
  const { queue, declare } = queueOf()
  const client = stranger(t)
  for (const persistent of [undefined, false]) {
    const options = { routingKey: queue, declare, appId: 'till' }
    const publisher = publisherOf(t, persistent === undefined ? options : { ...options, persistent })
    await publisher.publish([message('x')])
    const got = await client.basicGet({ queue, noAck: true })
    assert.deepEqual([got?.durable, got?.appId, got?.timestamp], [persistent !== false, 'till', undefined])
  }
})

test('messages of one turn go to the broker together, however many calls they are of', async (t) => {
  const { queue, declare } = queueOf()
  const publisher = publisherOf(t, { routingKey: queue, declare })
  await publisher.open()
  // What a socket that was corked writes with: one system call.
  const socket = Socket.prototype as Required<Pick<Socket, '_writev'>>
  const writes = t.mock.method(socket, '_writev')
  const calls = Array.from({ length: 100 }, (_, index) => publisher.publish([message(String(index))]))
  assert.deepEqual(failures((await Promise.all(calls)).flat()), [])
  assert.equal(writes.mock.callCount(), 1)
})

test('exchanges, queues and bindings are declared, and messages take their way', async (t) => {
  const [exchange, inner, queue] = [unique('outer'), unique('inner'), unique('queue')]
  const declare = {
    exchanges: [{ name: exchange }, { name: inner, type: 'fanout', autoDelete: true }],
    queues: [{ name: queue, type: 'quorum' as const }],
    bindings: [
      { exchange, toExchange: inner, routingKey: 'sensors.*.reading' },
      { exchange: inner, queue },
    ],
  }
  const publisher = publisherOf(t, { exchange, routingKey: 'sensors.7.reading', declare })
  assert.equal(publisher.destination, `${exchange}:sensors.7.reading`)
  const elsewhere = message('elsewhere', { destination: 'sensors.7.8' })
  const results = await publisher.publish([
    message('by the publisher'),
    message('by itself', { destination: 'sensors.8.reading' }),
    message('past the exchange', { destination: `:${queue}` }),
    message('by name', { destination: `${inner}:any` }),
    elsewhere,
  ])
  assert.deepEqual(
    failures(results).map(({ code }) => code),
    [UNROUTABLE_CODE],
  )
  const arrived = await take(subscriberOf(t, { queue }), 4)
  assert.deepEqual(arrived.map(textOf), ['by the publisher', 'by itself', 'past the exchange', 'by name'])
})

test('each message that no queue takes is an error of its own, those beside it are confirmed', async (t) => {
  const { queue, declare } = queueOf()
  const publisher = publisherOf(t, { routingKey: queue, declare })
  const lost = unique('nowhere')
  const messages = Array.from({ length: 200 }, (_, index) =>
    message(String(index), index % 3 === 0 ? { destination: lost } : {}),
  )
  const results = await publisher.publish(messages)
  for (const [index, result] of results.entries()) assert.equal(result.ok, index % 3 !== 0, String(index))
  for (const error of failures(results)) {
    assert.ok(error instanceof PermanentError && error.code === UNROUTABLE_CODE)
    assert.match(error.message, new RegExp(`"${lost}" at amqp://.* leads to no queue: NO_ROUTE`))
  }
  const silent = publisherOf(t, { routingKey: lost, mandatory: false })
  assert.deepEqual(failures(await silent.publish(messages)), [])
})

test('an exchange that is not there fails the messages for it alone, for good; the next call works', async (t) => {
  const { queue, declare } = queueOf()
  const publisher = publisherOf(t, { routingKey: queue, declare })
  const lost = unique('missing')
  const results = await publisher.publish([
    message('before'),
    message('lost', { destination: `${lost}:key` }),
    message('behind'),
  ])
  const [before, missing, behind] = results
  assert.ok(missing && !missing.ok && missing.error instanceof PermanentError)
  assert.equal(missing.error.code, NOT_FOUND_CODE)
  // The broker closed the channel: what it had not confirmed is not known, and is to be sent again.
  for (const result of [before, behind]) assert.ok(result?.ok || result?.error instanceof UnavailableError)
  await eventually(async () => assert.deepEqual(failures(await publisher.publish([message('next')])), []))
})

test('what is too large is refused before it breaks the channel for others', async (t) => {
  const { queue, declare } = queueOf()
  const publisher = publisherOf(t, { routingKey: queue, declare })
  const headers: Header[] = [['long', 'x'.repeat(131_072)]]
  const results = await publisher.publish([message('a'), message('b', { headers }), message('c')])
  assert.deepEqual(
    failures(results).map(({ code }) => code),
    ['TL_TOO_LARGE'],
  )
  assert.deepEqual((await take(subscriberOf(t, { queue }), 2)).map(textOf), ['a', 'c'])
})

test('a queue that is declared otherwise than it is there is a permanent error in open, and blames no message', async (t) => {
  const { queue, declare } = queueOf({ arguments: { 'x-max-length': 5 } })
  await publisherOf(t, { routingKey: queue, declare }).open()
  const other = publisherOf(t, { routingKey: queue, declare: { queues: [{ name: queue }] } })
  await assert.rejects(
    other.open(),
    (error) => error instanceof PermanentError && /PRECONDITION_FAILED.*x-max-length/.test(error.message),
  )
  const [error] = failures(await other.publish([message('x')]))
  assert.ok(error instanceof UnavailableError && error.code === 'TL_RABBITMQ_REFUSED')
})

test('a queue that refuses what is over its length answers for each message', async (t) => {
  const { queue, declare } = queueOf({ arguments: { 'x-max-length': 5, 'x-overflow': 'reject-publish' } })
  const results = await publisherOf(t, { routingKey: queue, declare }).publish(numbered(20))
  const refused = failures(results)
  assert.ok(refused.length > 0 && refused.length <= 15)
  assert.ok(refused.every((error) => error instanceof UnavailableError && error.code === 'TL_RABBITMQ_NACK'))
})

test('a wrong password is a permanent error in open, without the password', async (t) => {
  const publisher = publisherOf(t, { routingKey: 'x' }, { username: 'guest', password: 'hunter2' })
  await assert.rejects(publisher.open(), (error) => {
    assert.ok(error instanceof PermanentError && error.code === 'TL_RABBITMQ_REFUSED', String(error))
    return !error.message.includes('hunter2') && error.message.includes('ACCESS_REFUSED')
  })
  const [error] = failures(await publisher.publish([message('x')]))
  assert.ok(error instanceof UnavailableError)
})

test('frames longer than the broker allows are refused by the name of the option', async (t) => {
  const publisher = publisherOf(t, { routingKey: 'x' }, { frameMaxBytes: 2 ** 20 })
  await assert.rejects(
    publisher.open(),
    (error) => error instanceof PermanentError && error.message.includes('set frameMaxBytes to that'),
  )
})

test('while the broker is away each message is unavailable, and works again after', async (t) => {
  const proxy = await proxied(t)
  const { queue, declare } = queueOf()
  const publisher = publisherOf(t, { routingKey: queue, declare }, { url: proxy.url })
  await proxy.refuse()
  const away = failures(await publisher.publish(numbered(3)))
  assert.equal(away.length, 3)
  assert.ok(away.every((error) => error instanceof UnavailableError && error.message.includes(proxy.address)))
  await proxy.restore()
  assert.deepEqual(failures(await publisher.publish(numbered(3))), [])
})

test('a broker that hangs is unavailable after the timeout, for each message', async (t) => {
  const proxy = await proxied(t)
  const { queue, declare } = queueOf()
  const options = { routingKey: queue, declare, timeoutMs: 300 }
  const publisher = publisherOf(t, options, { url: proxy.url, connectTimeoutMs: 500 })
  await publisher.open()
  proxy.stall()
  const late = failures(await publisher.publish(numbered(3)))
  assert.deepEqual(
    late.map(({ code }) => code),
    Array(3).fill('TL_TIMEOUT'),
  )
  // Neither does it hold the process.
  await publisher.close()
})

test('a message that is never confirmed is not kept: its channel is given up, and the next one has another', async (t) => {
  const proxy = await proxied(t)
  const { queue, declare } = queueOf()
  const options = { routingKey: queue, declare, timeoutMs: 300 }
  const publisher = publisherOf(t, options, { url: proxy.url, connectTimeoutMs: 500 })
  await publisher.open()
  proxy.stall('toClient')
  await eventually(async () => {
    assert.equal(failures(await publisher.publish(numbered(1))).length, 1)
    assert.ok(proxy.accepted > 1, 'the connection that confirms nothing is still in use')
  })
  await proxy.restore()
  await eventually(async () => assert.deepEqual(failures(await publisher.publish(numbered(1))), []))
})

test('while an alarm blocks the connection messages are unavailable at once, and none is sent twice after it', async (t) => {
  const relay = await alarming(t)
  const { queue, declare } = queueOf()
  const transport = rabbitmqTransport({ url: relay.url })
  const publisher = transport.publisher({ routingKey: queue, declare })
  const other = transport.publisher({ routingKey: queue })
  t.after(() => Promise.all([publisher.close(), other.close()]))
  let confirmed = 0
  async function publish() {
    const [error] = failures(await publisher.publish(numbered(1)))
    if (error === undefined) confirmed++
    return error
  }
  assert.equal(await publish(), undefined)
  relay.block()
  const blocked = await eventually(async () => {
    const error = await publish()
    assert.equal(error?.code, BLOCKED_CODE)
    return error
  })
  assert.ok(blocked instanceof UnavailableError && /low on memory/.test(blocked.message), blocked.message)
  // Neither is another channel asked for, whose opening would be waited for in vain.
  const codes = failures(await other.publish(numbered(3))).map(({ code }) => code)
  assert.deepEqual(codes, Array(3).fill(BLOCKED_CODE))
  relay.unblock()
  await eventually(async () => assert.equal(await publish(), undefined))
  const { messageCount } = await stranger(t).queueDeclare({ queue, passive: true })
  assert.equal(messageCount, confirmed)
})

test('publishing that is tried again at once does not keep out the word that an alarm is over', async (t) => {
  const relay = await alarming(t)
  const { queue, declare } = queueOf()
  const publisher = publisherOf(t, { routingKey: queue, declare }, { url: relay.url })
  const publish = async () => failures(await publisher.publish(numbered(1)))
  assert.deepEqual(await publish(), [])
  relay.block()
  await eventually(async () => assert.equal((await publish()).length, 1))
  relay.unblock()
  let tries = 0
  while (tries < 100_000 && (await publish()).length > 0) tries++
  assert.ok(tries < 100_000, 'nothing else had its turn')
})

test('connecting to a broker that hangs is unavailable after the timeout', async (t) => {
  const proxy = await proxied(t)
  proxy.stall()
  const to = { url: proxy.url, connectTimeoutMs: 300 }
  await assert.rejects(publisherOf(t, { routingKey: 'x' }, to).open(), UnavailableError)
  await assert.rejects(subscriberOf(t, { queue: 'x' }, to).open(), UnavailableError)
})

test('2,000 messages are published while the connection is cut, those without confirmation once more', async (t) => {
  const proxy = await proxied(t)
  const { queue, declare } = queueOf()
  const publisher = publisherOf(t, { routingKey: queue, declare }, { url: proxy.url })
  let left = numbered(2000)
  let cuts = 0
  while (left.length > 0) {
    const answers = publisher.publish(left)
    if (cuts < 5) {
      cuts++
      setImmediate(() => proxy.cut())
    }
    const results = await answers
    assert.ok(failures(results).every((error) => error instanceof UnavailableError))
    left = left.filter((_, index) => !results[index]?.ok)
  }
  const seen = new Set<string>()
  const subscriber = subscriberOf(t, { queue })
  for await (const deliveries of subscriber.deliveries(AbortSignal.timeout(60_000))) {
    for (const each of deliveries) seen.add(textOf(each))
    await subscriber.settle(deliveries, { outcome: 'accept' })
    if (seen.size === 2000) break
  }
  assert.equal(seen.size, 2000)
})

test('calls that overlap keep the order in which they were made', async (t) => {
  const { queue, declare } = queueOf()
  const publisher = publisherOf(t, { routingKey: queue, declare })
  await Promise.all(numbered(300).map((each) => publisher.publish([each])))
  const arrived = await take(subscriberOf(t, { queue }), 300)
  assert.deepEqual(
    arrived.map(textOf),
    Array.from({ length: 300 }, (_, index) => String(index)),
  )
})

test('close waits for what is in flight, and publishes nothing more', async (t) => {
  const { queue, declare } = queueOf()
  const publisher = publisherOf(t, { routingKey: queue, declare })
  const answers = publisher.publish(numbered(500))
  await Promise.all([publisher.close(), publisher.close()])
  assert.deepEqual(failures(await answers), [])
  const [error] = failures(await publisher.publish([message('late')]))
  assert.ok(error instanceof UnavailableError)
})

test('publishers of one transport share a connection, which the last one closes', async (t) => {
  const proxy = await proxied(t)
  const transport = rabbitmqTransport({ url: proxy.url })
  const { queue, declare } = queueOf()
  const [first, second] = [1, 2].map(() => transport.publisher({ routingKey: queue, declare }))
  await Promise.all([first?.open(), second?.open()])
  assert.equal(proxy.accepted, 1)
  await first?.close()
  assert.deepEqual(failures((await second?.publish(numbered(1))) ?? []), [])
  await second?.close()
  await eventually(() => assert.equal(proxy.connections, 0))
})

/** A relay to the broker that tells the client of an alarm: the broker tells it to connections that publish (RabbitMQ's extension of AMQP). */
async function alarming(t: TestContext) {
  const { hostname, port } = new URL(amqpUrl())
  const clients = new Set<Socket>()
  const server = createServer((client) => {
    clients.add(client)
    const target = openSocket({ host: hostname, port: Number(port || 5672) })
    for (const [from, to] of [
      [client, target],
      [target, client],
    ] as const) {
      from.pipe(to)
      from.on('error', () => to.destroy())
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    for (const client of clients) client.destroy()
    server.close()
  })
  const tell = (method: number, ...fields: number[]) => {
    // A method frame of channel 0, class connection.
    const frame = [1, 0, 0, 0, 0, 0, 4 + fields.length, 0, 10, 0, method, ...fields, 206]
    for (const client of clients) client.write(Buffer.from(frame))
  }
  const reason = Buffer.from('low on memory')
  const address = server.address()
  assert.ok(typeof address === 'object' && address !== null)
  return {
    url: `amqp://127.0.0.1:${address.port}`,
    block: () => tell(60, reason.length, ...reason),
    unblock: () => tell(61),
  }
}
