import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { InvalidEventError, PermanentError } from '@throughline/core'
import { clientOptions } from '../src/connection.ts'
import { clientIdOf, type MqttWill, parseOptions } from '../src/options.ts'
import { mqttTransport } from '../src/transport.ts'

test('user and password are taken out of the URL and never stand in the address', () => {
  const endpoint = parseOptions({ url: 'mqtts://us%40er:p%2Fw@broker.example' })
  assert.equal(endpoint.address, 'mqtts://broker.example:8883')
  assert.equal(endpoint.username, 'us@er')
  assert.equal(endpoint.password, 'p/w')
})

test('an IPv6 host is connected to without its brackets', () => {
  const { host, port, address } = parseOptions({ url: 'mqtt://[::1]:2883' })
  assert.deepEqual([host, port, address], ['::1', 2883, 'mqtt://[::1]:2883'])
})

test('a WebSocket URL keeps path and query', () => {
  assert.equal(parseOptions({ url: 'wss://h/mqtt?x=1' }).path, '/mqtt?x=1')
})

test('MQTT.js is given a WebSocket URL’s IPv6 host in brackets, and all of the TLS options', () => {
  const endpoint = parseOptions({ url: 'wss://[::1]/mqtt', tls: { servername: 'broker.example' } })
  const onEnd = () => undefined
  const given = clientOptions(endpoint, { clientId: 'c', clean: true, sessionExpirySeconds: 0, onEnd })
  assert.equal(given.host, '[::1]')
  assert.deepEqual(given.wsOptions, { servername: 'broker.example' })
})

for (const url of ['', 'localhost:1883', 'http://h', 'mqtt://']) {
  test(`${JSON.stringify(url)} is refused as a URL`, () => {
    assert.throws(
      () => parseOptions({ url }),
      (error) => error instanceof PermanentError && error.code === 'TL_OPTIONS_INVALID',
    )
  })
}

test('a bad URL is refused without its password in the error', () => {
  for (const url of ['http://u:secret@h', 'mqtt://u:secret@h:99999', 'mqtt://u:secret@']) {
    assert.throws(
      () => parseOptions({ url }),
      (error) => error instanceof PermanentError && !error.message.includes('secret'),
    )
  }
})

test('client ids have the role, the session and the instance in them', () => {
  const fixed = parseOptions({ url: 'mqtt://h', clientId: 'edge', instance: '3' })
  assert.equal(clientIdOf(fixed, 'pub'), 'edge-pub-3')
  assert.equal(clientIdOf(fixed, 'sub'), 'edge-sub-3')
  assert.equal(clientIdOf(fixed, 'sub', 'alerts'), 'edge-sub-alerts-3')
})

test('without a clientId each transport has ids of its own', () => {
  const [one, other] = [parseOptions({ url: 'mqtt://h' }), parseOptions({ url: 'mqtt://h' })]
  assert.notEqual(clientIdOf(one, 'sub'), clientIdOf(other, 'sub'))
})

test('two subscribers of one clientId need sessions of their own', () => {
  const transport = mqttTransport({ url: 'mqtt://h', clientId: 'edge' })
  transport.subscriber({ topics: ['a'] })
  assert.throws(() => transport.subscriber({ topics: ['b'] }), /edge-sub.*session of its own/)
  const other = transport.subscriber({ topics: ['b'], session: 'b' })
  assert.equal(other.attributes['messaging.client.id'], 'edge-sub-b')
})

test('a session is free again when its subscriber is closed', async () => {
  const transport = mqttTransport({ url: 'mqtt://h', clientId: 'edge' })
  await transport.subscriber({ topics: ['a'] }).close()
  transport.subscriber({ topics: ['a'] })
})

test('subscribers of a made-up client id are numbered', () => {
  const transport = mqttTransport({ url: 'mqtt://h' })
  const ids = ['a', 'b', 'c'].map(
    (topic) => transport.subscriber({ topics: [topic] }).attributes['messaging.client.id'],
  )
  assert.equal(new Set(ids).size, 3)
})

test('options that cannot work are refused by name', () => {
  const transport = mqttTransport({ url: 'mqtt://h' })
  assert.throws(() => transport.subscriber({ topics: [] }), /topics/)
  assert.throws(() => transport.subscriber({ topics: ['a#'] }), /a#/)
  assert.throws(() => transport.subscriber({ topics: ['a'], window: 0 }), /window.*from 1/)
  assert.throws(() => transport.subscriber({ topics: ['a'], share: 'a/b' }), /share/)
  assert.throws(() => transport.publisher({ topic: 'a', timeoutMs: 0 }), /timeoutMs/)
})

test('MQTT 3.1.1 has no headers but with the envelope, which the features and a warning say', () => {
  const made = (envelope: boolean) => {
    const warnings: string[] = []
    const onWarning = (warning: string) => void warnings.push(warning)
    const { features } = mqttTransport({ url: 'mqtt://u:secret@h', protocolVersion: 4, envelope, onWarning })
    return { headers: features.headers, warnings }
  }
  assert.deepEqual(made(true), { headers: 'text', warnings: [] })
  const { headers, warnings } = made(false)
  assert.equal(headers, 'none')
  assert.match(warnings.join(), /^MQTT 3\.1\.1 carries no headers: every trace over mqtt:\/\/h:1883 ends/)
})

test('a warning that nobody asked for is one of the process', async () => {
  const [warned] = await Promise.all([
    once(process, 'warning'),
    mqttTransport({ url: 'mqtt://h', protocolVersion: 4 }),
  ])
  assert.deepEqual([warned[0].name, warned[0].code], ['ThroughlineWarning', 'TL_MQTT'])
})

test('options that MQTT 3.1.1 cannot honour are refused, and so is another version', () => {
  const transport = mqttTransport({ url: 'mqtt://h', protocolVersion: 4, envelope: true, clientId: 'c' })
  assert.throws(
    () => transport.subscriber({ topics: ['a'], sessionExpirySeconds: 1 }),
    /sessionExpirySeconds: needs protocolVersion 5, is 4 \(MQTT 3\.1\.1\)/,
  )
  assert.throws(
    () => transport.subscriber({ topics: ['a'], retainHandling: 'never' }),
    /retainHandling: needs/,
  )
  const old = { url: 'mqtt://h', protocolVersion: 4, envelope: true } as const
  assert.throws(() => mqttTransport({ ...old, topicAliases: true }), /topicAliases: needs protocolVersion 5/)
  const will = { topic: 'w', body: '', delaySeconds: 1 }
  assert.throws(() => mqttTransport({ ...old, will }), /will\.delaySeconds: needs protocolVersion 5/)
  // JavaScript's callers have no types.
  const three: 4 | 5 = JSON.parse('3')
  assert.throws(
    () => mqttTransport({ url: 'mqtt://h', protocolVersion: three }),
    /must be 4 \(MQTT 3\.1\.1\) or 5, is 3/,
  )
})

test('a will that could not be published is refused at the start', () => {
  const made = (will: MqttWill) => mqttTransport({ url: 'mqtt://h', will })
  assert.throws(() => made({ topic: 'w' }), /will: needs either event or body/)
  assert.throws(() => made({ topic: 'w', body: '', event: { type: 't', source: '/s' } }), /either/)
  assert.throws(() => made({ topic: 'w/#', body: '' }), /w\/#.*wildcards/)
  assert.throws(() => made({ topic: 'w', event: { type: '', source: '/s' } }), InvalidEventError)
  assert.throws(
    () => made({ topic: 'w', body: '', delaySeconds: -1 }),
    /will\.delaySeconds: must be an integer/,
  )
  const event = { type: 't', source: '/s', data: 'x'.repeat(65_536) }
  for (const will of [
    { topic: 'w', body: 'x'.repeat(65_536) },
    { topic: 'w', event },
  ]) {
    assert.throws(() => made(will), /will: takes \d+ bytes, a will has at most 65535/)
  }
  made({ topic: 'w', body: 'x'.repeat(65_535) })
  assert.throws(
    () => made({ topic: 'w', body: '', contentType: 'a\nb' }),
    /the content type has a control character/,
  )
})
