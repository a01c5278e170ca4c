import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseConfig } from '../../src/config/read.ts'
import { problems, ROUTE, variable } from './example.ts'

test('a variable that is not set is named, once, with the nearest one', () => {
  const text = ROUTE.replace('"k1:9092"', `"${variable('KAFKA_BROKER')}"`)
  assert.deepEqual(problems(text, { KAFKA_BROKERS: 'x:1' }), [
    '3:34 connections.kafka.brokers: the environment variable KAFKA_BROKER is not set; did you mean KAFKA_BROKERS?',
  ])
  assert.deepEqual(problems(ROUTE.replace('"k1:9092"', `"${variable('a-b')}"`)), [
    `3:34 connections.kafka.brokers: ${variable('a-b')} is no variable: expected ${variable('NAME')}, of letters, digits and _`,
  ])
})

test('a variable gives numbers, booleans and lists where they are expected', () => {
  const { routes, connections } = parseConfig(
    ROUTE.replace('"k1:9092"', `"${variable('BROKERS')}"`).replace(
      '{ connection: kafka, topic: readings }',
      `{ connection: edge, topic: a, qos: "${variable('QOS')}", retain: "${variable('RETAIN')}" }`,
    ),
    'b.yaml',
    { BROKERS: 'a:1,b:2', QOS: '2', RETAIN: 'true' },
  )
  const kafka = connections.get('kafka')
  assert.deepEqual(kafka?.type === 'kafka' && kafka.brokers, ['a:1', 'b:2'])
  const to = routes[0]?.to
  assert.deepEqual(to?.transport === 'mqtt' && [to.qos, to.retain], [2, true])
})

test('no problem shows what a variable held, a password, or the user in a URL', () => {
  const secret = 'hunter2'
  const text = `connections:
  a: { type: mqtt, url: "\${URL}" }
  b: { type: mqtt, url: "ftp://me:hunter2@host" }
  c: { type: kafka, brokers: "\${PASSWORD}" }
  d: { type: mqtt, url: "mqtt://host", password: { x: hunter2 } }
  e: { type: mqtt, url: "mqtt://host", username: u, password: "\${PASSWORD}", qos: 1 }
routes:
  r:
    from: { connection: e, topics: a }
    to: { connection: e, topic: "\${PASSWORD}/#" }
`
  const found = problems(text, { PASSWORD: secret, URL: `http://x:${secret}@host` })
  assert.equal(found.length, 6, found.join('\n'))
  assert.ok(!found.join('\n').includes(secret), found.join('\n'))
  assert.match(found[1] ?? '', /"ftp:\/\/\*\*\*@host" has the scheme ftp:/)
})
