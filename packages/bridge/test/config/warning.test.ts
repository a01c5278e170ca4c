import assert from 'node:assert/strict'
import { test } from 'node:test'
import { warnings } from './example.ts'

test('warns in words of what a transport cannot keep', () => {
  const text = `connections:
  web: { type: http, listen: 127.0.0.1:8081 }
  kafka: { type: kafka, brokers: "k1:9092" }
  edge: { type: mqtt, url: "mqtt://localhost:1883" }
routes:
  a:
    from: { connection: web, path: /events }
    to: { connection: edge, topic: x, qos: 0 }
  b:
    from: { connection: edge, topics: y, qos: 0, share: s }
    to: { connection: kafka, topic: z }
    deadLetter: { connection: edge, topic: dead, qos: 0 }
    onExhausted: drop
  c: { from: { connection: kafka, topics: z, group: g }, to: { connection: edge, topic: c } }
  d: { from: { connection: kafka, topics: z, group: g }, to: { connection: edge, topic: d } }
`
  assert.deepEqual(warnings(text), [
    '7:11 routes.a.from: HTTP has no order: of two requests in flight together either may arrive first',
    '8:44 routes.a.to.qos: QoS 0 cannot be at least once: an event counts as delivered when it was handed to the client',
    '10:47 routes.b.from.qos: QoS 0 cannot be at least once: what the broker sends while this route is away or ends is lost',
    '10:57 routes.b.from.share: a share has no order: its subscribers take messages of one topic side by side',
    '4:9 connections.edge: without a fixed clientId the session ends with the process: what arrives for route b while it is away is lost',
    '12:55 routes.b.deadLetter.qos: QoS 0 cannot be at least once: a dead letter may be lost',
    '13:18 routes.b.onExhausted: drop has no effect beside deadLetter: what is given up goes there',
    '15:53 routes.d.from.group: group g reads z for route c too: each event goes to one of the two only',
  ])
})
