import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ConfigError } from '../../src/config/problem.ts'
import { parseConfig } from '../../src/config/read.ts'

const HEAD = `connections:
  web: { type: http, listen: 127.0.0.1:8081 }
  kafka: { type: kafka, brokers: "k1:9092" }
  edge: { type: mqtt, url: "mqtt://localhost:1883", clientId: edge }
`
const ROUTE = `${HEAD}routes:
  r:
    from: { connection: web, path: /events }
    to: { connection: kafka, topic: readings }
`

/** A variable as it is written in a configuration. */
const variable = (name: string) => `$\{${name}}`

/** Lines of problems without the file's name. */
function problems(text: string, environment: Record<string, string> = {}): string[] {
  try {
    parseConfig(text, 'b.yaml', environment)
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error))
    assert.equal(error.code, 'TL_CONFIG_INVALID')
    return error.message.split('\n').map((line) => line.replace(/^b\.yaml:/, ''))
  }
  return []
}

function warnings(text: string): string[] {
  return parseConfig(text, 'b.yaml', {}).warnings.map(
    ({ line, column, path, message }) => `${line}:${column} ${path}: ${message}`,
  )
}

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
