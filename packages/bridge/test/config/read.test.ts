import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseConfig } from '../../src/config/read.ts'
import { problems, ROUTE, warnings } from './example.ts'

test('the example of the design is read, with defaults filled in', () => {
  const config = parseConfig(
    `connections:
  web:    { type: http, listen: 127.0.0.1:8081 }
  kafka:  { type: kafka, brokers: "\${KAFKA_BROKERS}" }
  edge:   { type: mqtt, url: "mqtt://localhost:1883", clientId: throughline-edge }
routes:
  readings:
    from: { connection: web, path: /events }
    to:   { connection: kafka, topic: sensor-readings, key: "{{ event.subject }}", mode: binary }
  alerts:
    from: { connection: kafka, topics: [ sensor-readings ], group: alerts, start: earliest }
    to:   { connection: edge, topic: "alerts/{{ event.subject }}", qos: 1 }
    retry: { attempts: 3, backoff: 100ms..5s }
    deadLetter: { connection: kafka, topic: sensor-readings.dead }
    trace: { trust: link, linkage: parent }
`,
    'b.yaml',
    { KAFKA_BROKERS: 'k1:9092, k2:9092' },
  )
  assert.deepEqual(config.connections.get('kafka'), {
    type: 'kafka',
    brokers: ['k1:9092', 'k2:9092'],
    clientId: 'throughline',
    tls: false,
  })
  assert.deepEqual(config.connections.get('web'), { type: 'http', listen: { host: '127.0.0.1', port: 8081 } })
  const [readings, alerts] = config.routes
  assert.ok(readings?.to.transport === 'kafka' && readings.from.transport === 'http')
  assert.equal(readings.to.key?.source, '{{ event.subject }}')
  assert.deepEqual(readings.from.methods, ['POST'])
  assert.equal(readings.from.timeout, 10_000)
  assert.deepEqual(readings.retry, { attempts: 5, backoff: { minMs: 200, maxMs: 30_000 } })
  assert.deepEqual(readings.trace, { trust: 'continue', linkage: 'parent' })
  assert.equal(readings.onExhausted, 'stop')
  assert.deepEqual(alerts?.retry, { attempts: 3, backoff: { minMs: 100, maxMs: 5000 } })
  assert.deepEqual(alerts?.deadLetter, {
    transport: 'kafka',
    connection: 'kafka',
    topic: 'sensor-readings.dead',
  })
  assert.equal(alerts?.to.transport === 'mqtt' && alerts.to.qos, 1)
})

test('reads the version of MQTT and the envelope, and warns where 3.1.1 is without one', () => {
  const old = (more: string) => ROUTE.replace('type: mqtt,', `type: mqtt, ${more},`)
  const edge = (text: string) => {
    const connection = parseConfig(text, 'b.yaml', {}).connections.get('edge')
    return connection?.type === 'mqtt' && [connection.protocolVersion, connection.envelope]
  }
  assert.deepEqual(edge(ROUTE), [5, false])
  assert.deepEqual(edge(old('protocolVersion: 4, envelope: true')), [4, true])
  assert.deepEqual(warnings(old('protocolVersion: 4, envelope: true')), warnings(ROUTE))
  assert.deepEqual(
    warnings(old('protocolVersion: "4"'))[0],
    '4:40 connections.edge.protocolVersion: MQTT 3.1.1 carries no headers: traces end at this broker and others begin behind it; envelope: true carries them',
  )
  assert.deepEqual(problems(old('protocolVersion: 3.1.1')), [
    '4:40 connections.edge.protocolVersion: expected 4 (MQTT 3.1.1) or 5, not 3.1.1',
  ])
})

test('Kafka logs in by password or by token, over TLS with certificates of its own', () => {
  const { connections, secrets } = parseConfig(
    `connections:
  a: { type: kafka, brokers: "k:1", sasl: { mechanism: SCRAM-SHA-512, username: alice, password: hush } }
  b: { type: kafka, brokers: "k:1", sasl: { mechanism: OAUTHBEARER, tokenFile: /run/token }, certificates: { ca: /run/ca.pem } }
routes:
  r: { from: { connection: a, topics: x, group: g }, to: { connection: b, topic: y } }
`,
    'b.yaml',
    {},
  )
  const [a, b] = ['a', 'b'].map((name) => connections.get(name))
  assert.deepEqual(a?.type === 'kafka' && a.sasl, {
    mechanism: 'SCRAM-SHA-512',
    username: 'alice',
    password: 'hush',
  })
  assert.deepEqual(b?.type === 'kafka' && [b.sasl, b.certificates], [
    { mechanism: 'OAUTHBEARER', tokenFile: '/run/token' },
    { ca: '/run/ca.pem' },
  ])
  assert.deepEqual(secrets, ['hush'])
})

test('secrets are listed for whoever writes logs', () => {
  const { secrets } = parseConfig(
    ROUTE.replace('url: "mqtt://localhost:1883"', 'url: "mqtt://me:p%40ss@localhost:1883"').replace(
      '{ connection: kafka, topic: readings }',
      '{ connection: web, url: "http://a:b3tter@h/x", headers: { authorization: Bearer 123, x-plain: shown } }',
    ),
    'b.yaml',
    {},
  )
  assert.deepEqual(new Set(secrets), new Set(['p%40ss', 'p@ss', 'b3tter', 'Bearer 123']))
})
