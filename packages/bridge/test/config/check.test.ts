import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HEAD, problems, ROUTE } from './example.ts'

/** Each value is as it should be: it is together that they cannot work. */
const wrong: readonly [what: string, text: string, expected: readonly string[]][] = [
  [
    'a target at RabbitMQ that is nowhere, and declarations that do not fit it',
    `connections:
  web: { type: http, listen: 127.0.0.1:8081 }
  rabbit: { type: rabbitmq, url: "http://r" }
routes:
  nowhere:
    from: { connection: web, path: /a }
    to: { connection: rabbit }
  queue:
    from: { connection: web, path: /b }
    to: { connection: rabbit, exchange: x, declare: quorum }
    deadLetter: broker
  exchange:
    from: { connection: web, path: /c }
    to: { connection: rabbit, routingKey: q, declare: topic }
  template:
    from: { connection: web, path: /d }
    to: { connection: rabbit, routingKey: "q.{{ event.subject }}", declare: classic }
`,
    [
      '3:34 connections.rabbit.url: "http://r" has the scheme http:; expected an address such as amqp://localhost:5672/vhost (amqps:// with TLS)',
      '7:9 routes.nowhere.to: needs an exchange, or a routingKey that names a queue',
      '10:53 routes.queue.to.declare: quorum is a kind of queue: with an exchange expected direct, fanout, topic or headers',
      '11:17 routes.queue.deadLetter: broker is for events from RabbitMQ, not from http: expected a mapping with connection',
      '14:55 routes.exchange.to.declare: topic is a kind of exchange, and none is named: expected classic or quorum, or an exchange',
      '17:77 routes.template.to.declare: the queue q.{{ event.subject }} differs by event and cannot be declared',
    ],
  ],
  [
    'a route that fills the queue it reads',
    `connections:
  rabbit: { type: rabbitmq, url: "amqp://r/v" }
  again: { type: rabbitmq, url: "amqp://other@r/v" }
routes:
  queue:
    from: { connection: rabbit, queue: q }
    to: { connection: again, routingKey: q }
  exchange:
    from: { connection: rabbit, queue: q, bindings: [{ exchange: x, routingKey: "#" }] }
    to: { connection: rabbit, exchange: x, routingKey: "a.{{ event.subject }}" }
`,
    [
      '7:42 routes.queue.to.routingKey: q leads to the queue that this route reads: its events would go round for ever',
      '10:56 routes.exchange.to.routingKey: a.{{ event.subject }} leads to the queue that this route reads: its events would go round for ever',
    ],
  ],
  [
    'an HTTP source whose connection has no address',
    ROUTE.replace(', listen: 127.0.0.1:8081', ''),
    [
      '7:25 routes.r.from.connection: connection web has no listen: a route from it needs an address such as 127.0.0.1:8081',
    ],
  ],
  [
    'a header that never passes',
    ROUTE.replace('path: /events', 'path: /events, headers: [x-a, Authorization]'),
    ['7:60 routes.r.from.headers[1]: authorization is never passed on'],
  ],
  [
    'raw on one side',
    ROUTE.replace('topic: readings', 'topic: readings, raw: true'),
    ['8:52 routes.r.to.raw: raw: true must stand on both sides of a route, or on neither'],
  ],
  [
    "a raw route with an event's value",
    ROUTE.replace('path: /events', 'path: /events, raw: true').replace(
      'topic: readings',
      'topic: readings, raw: true, key: "{{ event.id }}"',
    ),
    [
      '8:63 routes.r.to.key: {{ event.id }} reads an event, which a raw route does not have; message.key and message.headers.<name> are there',
    ],
  ],
  [
    'two routes at one path',
    `${ROUTE}  s:\n    from: { connection: web, path: /events }\n    to: { connection: kafka, topic: other }\n`,
    ['10:36 routes.s.from.path: /events is taken by route r'],
  ],
  [
    'two connections with one MQTT client id',
    ROUTE.replace(
      'routes:',
      '  edge2: { type: mqtt, url: "mqtt://localhost:1883", clientId: edge }\nroutes:',
    ),
    [
      '5:64 connections.edge2.clientId: is the client id of connection edge at the same broker: they would evict each other forever',
    ],
  ],
  [
    'two connections at one address',
    ROUTE.replace('routes:', '  web2: { type: http, listen: 127.0.0.1:8081 }\nroutes:'),
    ['5:31 connections.web2.listen: is where connection web listens already'],
  ],
  [
    'a Kafka route into itself, by another connection to the same brokers',
    `${HEAD}  again: { type: kafka, brokers: ["k1:9092"] }\nroutes:\n  r:\n    from: { connection: kafka, topics: [a, b], group: g }\n    to: { connection: again, topic: b }\n`,
    ['9:37 routes.r.to.topic: b is where this route reads from: its events would go round for ever'],
  ],
  [
    'an MQTT route whose template meets its own filter',
    `${HEAD}routes:\n  r:\n    from: { connection: edge, topics: "sensors/+/reading" }\n    to: { connection: edge, topic: "sensors/{{ event.subject }}/reading" }\n`,
    [
      '8:36 routes.r.to.topic: sensors/{{ event.subject }}/reading is where this route reads from: its events would go round for ever',
    ],
  ],
  [
    'dead letters that come back',
    `${HEAD}routes:\n  r:\n    from: { connection: kafka, topics: a, group: g }\n    to: { connection: edge, topic: b }\n    deadLetter: { connection: kafka, topic: a }\n`,
    ['9:45 routes.r.deadLetter.topic: a is where this route reads from: its events would go round for ever'],
  ],
  [
    'an HTTP route that posts to itself',
    ROUTE.replace(
      '{ connection: kafka, topic: readings }',
      '{ connection: web, url: "http://localhost:8081/events" }',
    ),
    [
      '8:33 routes.r.to.url: http://localhost:8081/events is where this route reads from: its events would go round for ever',
    ],
  ],
]

for (const [what, text, expected] of wrong) {
  test(`refuses ${what}, and says where`, () => {
    assert.deepEqual(problems(text), expected)
  })
}
