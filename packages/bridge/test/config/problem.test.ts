import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HEAD, problems, ROUTE } from './example.ts'

const wrong: readonly [what: string, text: string, expected: readonly string[]][] = [
  ['an empty file', '', ['1:1 is empty: expected connections and routes']],
  ['a list', '- a\n', ['1:1 expected a mapping, not a list']],
  [
    'broken YAML',
    'connections: {\n',
    ['2:1 Flow map in block collection must be sufficiently indented and end with a }'],
  ],
  ['a key twice', `${ROUTE}routes: {}\n`, ['9:1 Map keys must be unique']],
  ['no routes', `${HEAD}routes: {}\n`, ['5:9 routes: is empty: expected at least one route']],
  ['nothing where routes should be', HEAD, ['1:1 routes: is required: expected a mapping']],
  ['an unknown key at the top', `${ROUTE}rutes: {}\n`, ['9:1 rutes: is unknown here; did you mean routes?']],
  [
    'an unknown key with no near name',
    `${ROUTE}xyz: {}\n`,
    ['9:1 xyz: is unknown here; expected connections, routes or admin'],
  ],
  [
    'a misspelt field',
    ROUTE.replace('topic: readings', 'topc: readings'),
    [
      '8:5 routes.r.to.topic: is required: expected a Kafka topic name',
      '8:30 routes.r.to.topc: is unknown here; did you mean topic?',
    ],
  ],
  [
    'a field of another transport',
    ROUTE.replace('topic: readings', 'topic: readings, retain: true'),
    [
      '8:47 routes.r.to.retain: is unknown here (it belongs to to of mqtt); expected connection, topic, key, partition, mode or raw',
    ],
  ],
  [
    "a route's field inside of to",
    ROUTE.replace('topic: readings', 'topic: readings, retry: 3'),
    [
      '8:47 routes.r.to.retry: is unknown here (it belongs to the route itself); expected connection, topic, key, partition, mode or raw',
    ],
  ],
  [
    'fields of a later version',
    `${ROUTE}    filter: "type = 'x'"\n    transform: '{}'\n`,
    [
      '9:5 routes.r.filter: is of a later version and not available in this one',
      '10:5 routes.r.transform: is of a later version and not available in this one',
    ],
  ],
  [
    'a connection that is not there',
    ROUTE.replace('connection: kafka', 'connection: kafak'),
    ['8:23 routes.r.to.connection: there is no connection kafak; did you mean kafka?'],
  ],
  [
    'a connection that resembles none',
    ROUTE.replace('connection: kafka', 'connection: redis'),
    [
      '8:23 routes.r.to.connection: there is no connection redis; expected the name of a connection: web, kafka or edge',
    ],
  ],
  [
    'a type that is not there, and nothing more about its routes',
    ROUTE.replace('type: kafka', 'type: kafkaa'),
    ['3:18 connections.kafka.type: expected http, kafka, mqtt or rabbitmq, not kafkaa; did you mean kafka?'],
  ],
  [
    'a broker without a port',
    ROUTE.replace('"k1:9092"', '"k1"'),
    ['3:34 connections.kafka.brokers[0]: expected host:port, not "k1"'],
  ],
  [
    'a list where none is',
    ROUTE.replace('"k1:9092"', '{ a: 1 }'),
    [
      '3:34 connections.kafka.brokers: expected brokers as host:port: a list, or one text with commas, not a mapping',
    ],
  ],
  [
    'an address without a host',
    ROUTE.replace('127.0.0.1:8081', '8081'),
    [
      '2:30 connections.web.listen: expected an address such as 127.0.0.1:8081 (0.0.0.0:8081 for every interface), not 8081',
    ],
  ],
  [
    'an illegal topic',
    ROUTE.replace('topic: readings', 'topic: "a b"'),
    [
      '8:37 routes.r.to.topic: "a b" is no Kafka topic name: letters, digits, dot, _ and - only; expected a Kafka topic name',
    ],
  ],
  [
    'a template that is not one',
    ROUTE.replace('topic: readings', 'topic: readings, key: "{{ event.Subject }}"'),
    [
      '8:52 routes.r.to.key: "{{ event.Subject }}" {{ event.Subject }}: attribute names are lower-case letters and digits; expected a record key',
    ],
  ],
  [
    'an MQTT topic with a wildcard',
    ROUTE.replace(
      '{ connection: kafka, topic: readings }',
      '{ connection: edge, topic: "a/{{ event.subject }}/+" }',
    ),
    [
      '8:36 routes.r.to.topic: "a/{{ event.subject }}/+" has an MQTT wildcard; expected an MQTT topic without wildcards',
    ],
  ],
  [
    'several values at once',
    `${ROUTE}    retry: { attempts: 0, backoff: 5s..1s }\n    onExhausted: ignore\n    trace: { trust: all }\n`,
    [
      '9:24 routes.r.retry.attempts: expected a whole number from 1 to 1000, not 0',
      '9:36 routes.r.retry.backoff: 5s..1s has the longer one first; expected two durations, the least first, such as 200ms..30s',
      '10:18 routes.r.onExhausted: expected stop or drop, not ignore',
      '11:21 routes.r.trace.trust: expected continue, link or ignore, not all',
    ],
  ],
  [
    'QoS 3',
    ROUTE.replace('{ connection: kafka, topic: readings }', '{ connection: edge, topic: a, qos: 3 }'),
    ['8:44 routes.r.to.qos: expected 0, 1 or 2, not 3'],
  ],
  [
    'a templated host',
    ROUTE.replace(
      '{ connection: kafka, topic: readings }',
      '{ connection: web, url: "http://{{ event.subject }}/events" }',
    ),
    [
      '8:33 routes.r.to.url: "http://{{ event.subject }}/events" has a {{ … }} outside of path and query; expected a URL such as http://localhost:8080/events',
    ],
  ],
  [
    'a mechanism that there is not',
    ROUTE.replace(
      'brokers: "k1:9092"',
      'brokers: "k1:9092", sasl: { mechanism: GSSAPI, username: a, password: b }',
    ),
    [
      '3:64 connections.kafka.sasl.mechanism: expected PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER, not GSSAPI',
    ],
  ],
  [
    'a password where a token is wanted',
    ROUTE.replace('brokers: "k1:9092"', 'brokers: "k1:9092", sasl: { mechanism: OAUTHBEARER, password: b }'),
    [
      '3:45 connections.kafka.sasl.tokenFile: is required: expected the path of a file',
      '3:77 connections.kafka.sasl.password: is unknown here (it belongs to connections of mqtt or rabbitmq); expected mechanism or tokenFile',
    ],
  ],
  [
    'a bad name',
    ROUTE.replace('  r:', '  "1 r":'),
    ['6:3 routes.1 r: is no name to use here: expected a name: a letter, then letters, digits, - and _'],
  ],
  [
    'an alias of nothing',
    ROUTE.replace('topic: readings', 'topic: *nothing'),
    ['8:37 nothing before it is called &nothing'],
  ],
]

for (const [what, text, expected] of wrong) {
  test(`names file, line, column and what was expected: ${what}`, () => {
    assert.deepEqual(problems(text), expected)
  })
}

test('an alias bomb is refused and not expanded', () => {
  const levels = Array.from({ length: 12 }, (_, level) => {
    const one = level === 0 ? '"x"' : `*l${level - 1}`
    return `l${level}: &l${level} [${Array(10).fill(one).join(', ')}]`
  })
  assert.match(problems(levels.join('\n')).join('\n'), /Excessive alias count/)
})

test('names that every object has are ordinary unknown names', () => {
  assert.deepEqual(problems(ROUTE.replace('topic: readings', 'topic: readings, __proto__: 1')), [
    '8:47 routes.r.to.__proto__: is unknown here; expected connection, topic, key, partition, mode or raw',
  ])
  assert.deepEqual(problems(ROUTE.replace('connection: kafka', 'connection: constructor')), [
    '8:23 routes.r.to.connection: there is no connection constructor; expected the name of a connection: web, kafka or edge',
  ])
})
