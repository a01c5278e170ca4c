import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { type TestContext, test } from 'node:test'
import { headerText, type Message } from '@throughline/core'
import { mqtt } from '@throughline/mqtt'
import { eventually, tcpProxy } from '@throughline/testkit'
import { startBridge } from '../src/bridge.ts'
import { parseConfig } from '../src/config/read.ts'
import { kafkaInbox, mqttInbox, mqttUrl, newTopic, post, runBridge, unique } from './brokers.ts'
import { recordingLog } from './memory.ts'

const LATE = { timeoutMs: 30_000 }
const KAFKA = `kafka: { type: kafka, brokers: "$\{KAFKA_BROKERS}" }`
const EDGE = (clientId: string) => `edge: { type: mqtt, url: "$\{MQTT_URL}", clientId: ${clientId} }`

/** HTTP → Kafka → MQTT, all names its own. */
async function pipeline(t: TestContext, { forward = '' } = {}) {
  const topic = await newTopic('readings')
  const dead = await newTopic('dead', 1)
  const root = unique('sensors')
  const group = unique('forwarder')
  const { bridge, log } = await runBridge(
    t,
    `connections:
  web: { type: http, listen: "127.0.0.1:0" }
  ${KAFKA}
  ${EDGE(unique('edge'))}
routes:
  readings:
    from: { connection: web, path: /events, headers: [x-station] }
    to: { connection: kafka, topic: ${topic}, key: "{{ event.subject }}" }
  forward:
    from: { connection: kafka, topics: ${topic}, group: ${group} }
    to: { connection: edge, topic: "${root}/{{ event.subject }}/reading" }
    retry: { attempts: 2, backoff: 10ms..20ms }
${forward.replaceAll('DEAD', dead)}
admin: { listen: "127.0.0.1:0" }
`,
  )
  const { web, admin } = bridge.addresses()
  assert.ok(web && admin)
  const url = `http://127.0.0.1:${web.port}/events`
  return { bridge, log, topic, dead, root, url, admin: `http://127.0.0.1:${admin.port}` }
}

const ids = (messages: readonly Message[]) => messages.map(({ headers }) => headerText(headers, 'id'))

test('an event posted by HTTP arrives over Kafka at MQTT as it was, and is answered after the confirmation', async (t) => {
  const { root, url, topic } = await pipeline(t)
  const inbox = await mqttInbox(t, `${root}/#`)
  const records = await kafkaInbox(t, topic)
  const body = '{ "celsius": 21.50, "big": 9007199254740993 }'
  const headers = {
    'x-station': 'north',
    'x-other': 'no',
    authorization: 'Bearer secret',
    'ce-time': '2026-01-01T00:00:00.123456789+01:00',
  }
  const response = await post(url, {
    id: 'ä1',
    subject: 'sensor-1',
    headers: { ...headers, 'ce-id': '%C3%A41' },
    body,
  })
  assert.equal(response.status, 204)
  const [message] = await eventually(() => {
    assert.equal(inbox.length, 1)
    return inbox
  }, LATE)
  assert.equal(Buffer.from(message?.body ?? []).toString(), body)
  assert.equal(message?.contentType, 'application/json')
  const properties = new Map(message?.headers.map(([name, value]) => [name, String(value)]))
  assert.equal(properties.get('id'), 'ä1')
  assert.equal(properties.get('time'), headers['ce-time'])
  assert.equal(properties.get('x-station'), 'north')
  for (const name of ['authorization', 'x-other', 'host', 'user-agent'])
    assert.ok(!properties.has(name), name)
  await eventually(() => assert.equal(records[0]?.key, 'sensor-1'), LATE)
  assert.equal(headerText(records[0]?.headers ?? [], 'authorization'), null)
})

test("what is the sender's to mend is answered by name and never reaches a broker", async (t) => {
  const { url, topic } = await pipeline(t)
  const records = await kafkaInbox(t, topic)
  const structured = (body: string) =>
    fetch(url, { method: 'POST', headers: { 'content-type': 'application/cloudevents+json' }, body })
  const minimal = '"specversion":"1.0","source":"/s","type":"t","subject":"s"'
  const cases: [Promise<Response>, number, string | undefined][] = [
    [structured(`{${minimal}}`), 400, 'id'],
    [structured(`{${minimal.replace('1.0', '0.3')},"id":"1"}`), 400, 'specversion'],
    [structured('{"broken'), 400, 'body'],
    [structured(`{${minimal},"id":"1","data":1,"data_base64":"MQ=="}`), 400, 'data_base64'],
    [post(url, { id: '1', body: '{"broken' }), 400, 'data'],
    [fetch(url, { method: 'POST', headers: { 'content-type': 'text/plain' }, body: 'x' }), 415, undefined],
    [post(url, { id: '1', body: JSON.stringify('x'.repeat(1_100_000)) }), 413, undefined],
  ]
  for (const [answer, status, attribute] of cases) {
    const response = await answer
    assert.equal(response.status, status)
    assert.equal(response.headers.get('content-type'), 'application/problem+json')
    const problem: unknown = await response.json()
    assert.equal(Reflect.get(Object(problem), 'attribute'), attribute)
  }
  assert.equal((await post(url, { id: 'good', headers: { traceparent: 'garbage' } })).status, 204)
  await eventually(() => assert.equal(records.length, 1), LATE)
  assert.equal(headerText(records[0]?.headers ?? [], 'ce_id'), 'good')
})

test('an event that MQTT cannot be given becomes a dead letter, and its followers arrive', async (t) => {
  const { url, root, dead, bridge } = await pipeline(t, {
    forward: '    deadLetter: { connection: kafka, topic: DEAD }',
  })
  const inbox = await mqttInbox(t, `${root}/#`)
  const letters = await kafkaInbox(t, dead)
  assert.equal((await post(url, { id: 'bad', subject: 'a+b' })).status, 204)
  assert.equal((await post(url, { id: 'good' })).status, 204)
  await eventually(() => assert.deepEqual(ids(inbox), ['good']), LATE)
  const [letter] = await eventually(() => {
    assert.equal(letters.length, 1)
    return letters
  }, LATE)
  const headers = letter?.headers ?? []
  assert.equal(headerText(headers, 'ce_id'), 'bad')
  assert.equal(Buffer.from(letter?.body ?? []).toString(), '{"id":"bad"}')
  assert.match(headerText(headers, 'throughline-dead-letter-reason') ?? '', /has an MQTT wildcard/)
  assert.match(
    headerText(headers, 'throughline-dead-letter-source') ?? '',
    /^readings-[0-9a-f]+\[[01]\]@\d+$/,
  )
  assert.equal(headerText(headers, 'throughline-dead-letter-route'), 'forward')
  assert.equal(bridge.routes().find(({ name }) => name === 'forward')?.deadLettered, 1)
})

test('without a dead letter the route stops at the position, other routes go on and readiness fails', async (t) => {
  const { url, bridge, log, admin, topic } = await pipeline(t)
  assert.equal((await fetch(`${admin}/readyz`)).status, 200)
  assert.equal((await post(url, { id: 'bad', subject: 'a+b' })).status, 204)
  await eventually(() => assert.equal(bridge.routes()[1]?.state, 'stopped'), LATE)
  const stopped = bridge.routes()[1]?.reason ?? ''
  assert.ok(stopped.startsWith(`stopped at ${topic}[`), stopped)
  assert.ok(log.lines.some((line) => line.startsWith(`error route forward stopped at ${topic}[`)))
  const ready = await fetch(`${admin}/readyz`)
  assert.equal(ready.status, 503)
  assert.ok((await ready.text()).includes(JSON.stringify(stopped)))
  assert.equal((await fetch(`${admin}/livez`)).status, 200)
  assert.equal((await post(url, { id: 'next' })).status, 204)
})

test('onExhausted: drop says what is lost and goes on', async (t) => {
  const { url, root, log } = await pipeline(t, { forward: '    onExhausted: drop' })
  const inbox = await mqttInbox(t, `${root}/#`)
  await post(url, { id: 'bad', subject: 'a+b' })
  await post(url, { id: 'good' })
  await eventually(() => assert.deepEqual(ids(inbox), ['good']), LATE)
  assert.ok(log.lines.some((line) => /^error route forward: readings-.*@\d+ was dropped: /.test(line)))
})

test('while the target is away HTTP is answered 503 with Retry-After, and 204 when it has returned', async (t) => {
  const { hostname, port } = new URL(mqttUrl())
  const proxy = await tcpProxy({ target: `${hostname}:${port}` })
  t.after(() => proxy.close())
  const root = unique('direct')
  const { bridge, log } = await runBridge(
    t,
    `connections:
  web: { type: http, listen: "127.0.0.1:0" }
  edge: { type: mqtt, url: "mqtt://${proxy.address}", clientId: ${unique('edge')} }
routes:
  direct:
    from: { connection: web, path: /events, timeout: 2s }
    to: { connection: edge, topic: "${root}/{{ event.subject }}" }
`,
  )
  const inbox = await mqttInbox(t, `${root}/#`)
  const url = `http://127.0.0.1:${bridge.addresses().web?.port}/events`
  assert.equal((await post(url, { id: '1' })).status, 204)

  await proxy.refuse()
  const refused = await post(url, { id: '2' })
  assert.equal(refused.status, 503)
  assert.match(refused.headers.get('retry-after') ?? '', /^\d+$/)
  assert.equal(bridge.routes()[0]?.ready, false)

  await proxy.restore()
  proxy.stall()
  assert.equal((await post(url, { id: '3' })).status, 503, 'a target that hangs is no reason to hang')

  await proxy.restore()
  await eventually(async () => assert.equal((await post(url, { id: '4' })).status, 204), LATE)
  await eventually(() => assert.ok(ids(inbox).includes('4')), LATE)
  assert.ok(bridge.routes()[0]?.ready)
  assert.ok(
    log.lines.some((line) => /^warn route direct: target mqtt .*trying again until it returns$/.test(line)),
  )
  assert.ok(log.lines.some((line) => /^info route direct: target mqtt .*is back after/.test(line)))
})

test('a connection to the target that is cut again and again loses nothing', async (t) => {
  const { hostname, port } = new URL(mqttUrl())
  const proxy = await tcpProxy({ target: `${hostname}:${port}` })
  t.after(() => proxy.close())
  const topic = await newTopic('cut')
  const root = unique('cut')
  const { bridge } = await runBridge(
    t,
    `connections:
  web: { type: http, listen: "127.0.0.1:0" }
  ${KAFKA}
  edge: { type: mqtt, url: "mqtt://${proxy.address}", clientId: ${unique('edge')} }
routes:
  in: { from: { connection: web, path: /events }, to: { connection: kafka, topic: ${topic} } }
  out:
    from: { connection: kafka, topics: ${topic}, group: ${unique('cut')} }
    to: { connection: edge, topic: "${root}/{{ event.subject }}" }
    retry: { attempts: 1, backoff: 10ms..100ms }
`,
  )
  const inbox = await mqttInbox(t, `${root}/#`)
  const url = `http://127.0.0.1:${bridge.addresses().web?.port}/events`
  const sent = Array.from({ length: 300 }, (_, index) => String(index))
  for (let start = 0; start < sent.length; start += 20) {
    const batch = sent.slice(start, start + 20)
    const answers = await Promise.all(batch.map((id) => post(url, { id, subject: `s${Number(id) % 5}` })))
    assert.ok(answers.every(({ status }) => status === 204))
    proxy.cut()
  }
  await eventually(() => assert.equal(new Set(ids(inbox)).size, sent.length), LATE)
  // Attempts are for an event's own failures: one was allowed, and none was spent.
  assert.equal(bridge.routes()[1]?.state, 'running')
})

test('from MQTT to HTTP: an overloaded server is tried again, a refusal is a dead letter, 2xx is the confirmation', async (t) => {
  const dead = await newTopic('dead', 1)
  const root = unique('mqtt-in')
  const requests: { url: string; headers: Record<string, unknown>; body: string }[] = []
  let busy = 3
  const server = createServer(async (request, response) => {
    const chunks: Uint8Array[] = await request.toArray()
    const body = Buffer.concat(chunks).toString()
    if (busy-- > 0) {
      response.writeHead(503, { 'retry-after': '0' }).end()
      return
    }
    requests.push({ url: request.url ?? '', headers: request.headers, body })
    response.writeHead(body.includes('refused') ? 422 : 202).end()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const bound = server.address()
  assert.ok(typeof bound === 'object' && bound !== null)
  await runBridge(
    t,
    `connections:
  echo: { type: http }
  ${KAFKA}
  ${EDGE(unique('edge'))}
routes:
  echo:
    from: { connection: edge, topics: ["${root}/+/reading"] }
    to: { connection: echo, url: "http://127.0.0.1:${bound.port}/echo/{{ event.subject }}?v=1", headers: { x-key: abc } }
    retry: { attempts: 1, backoff: 10ms..20ms }
    deadLetter: { connection: kafka, topic: ${dead} }
`,
  )
  const letters = await kafkaInbox(t, dead)
  const device = mqtt({ url: mqttUrl(), clientId: unique('device') })
  t.after(() => device.close())
  const publisher = device.publisher({ topic: `${root}/x/reading` })
  const event = { type: 't', source: '/s', subject: 'a/b', id: 'ä' }
  await publisher.publish({ ...event, data: { n: 1 } })
  await publisher.publish({ ...event, id: 'second', data: 'refused' })
  await publisher.publish({ body: 'no event', contentType: 'text/plain', headers: { 'x-a': 'b' } })
  await eventually(() => assert.equal(requests.length, 2), LATE)
  const [first] = requests
  assert.equal(first?.url, '/echo/a%2Fb?v=1')
  assert.equal(first?.headers['ce-id'], '%C3%A4')
  assert.equal(first?.headers['x-key'], 'abc')
  assert.equal(first?.body, '{"n":1}')
  await eventually(() => assert.equal(letters.length, 2), LATE)
  const [refused, broken] = letters
  assert.equal(headerText(refused?.headers ?? [], 'ce_id'), 'second')
  assert.equal(headerText(refused?.headers ?? [], 'throughline-dead-letter-source'), `${root}/x/reading`)
  assert.equal(Buffer.from(broken?.body ?? []).toString(), 'no event')
  assert.equal(headerText(broken?.headers ?? [], 'x-a'), 'b')
})

test('a port that is taken ends the bridge with one clear sentence', async (t) => {
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  t.after(() => other.close())
  const bound = other.address()
  assert.ok(typeof bound === 'object' && bound !== null)
  const yaml = `connections:
  web: { type: http, listen: "127.0.0.1:${bound.port}" }
  edge: { type: mqtt, url: "${mqttUrl()}", clientId: ${unique('edge')} }
routes:
  r: { from: { connection: web, path: /events }, to: { connection: edge, topic: x } }
`
  const log = recordingLog()
  const bridge = await startBridge(parseConfig(yaml, 'x.yaml', {}), { log })
  await assert.rejects(bridge.closed, {
    code: 'TL_PORT_TAKEN',
    message: /^cannot listen on 127\.0\.0\.1:\d+: the port is taken/,
  })
  assert.equal(log.lines.filter((line) => line.startsWith('error')).length, 1)
})

test('one file runs as two processes, each with its own routes', async (t) => {
  const topic = await newTopic('split')
  const root = unique('split')
  const yaml = `connections:
  web: { type: http, listen: "127.0.0.1:0" }
  ${KAFKA}
  ${EDGE(unique('edge'))}
routes:
  in:
    from: { connection: web, path: /events }
    to: { connection: kafka, topic: ${topic} }
    deadLetter: { connection: edge, topic: ${root}/dead }
  out:
    from: { connection: kafka, topics: ${topic}, group: ${unique('split')} }
    to: { connection: edge, topic: "${root}/{{ event.subject }}" }
`
  const environment = { KAFKA_BROKERS: process.env.KAFKA_BROKERS, MQTT_URL: mqttUrl() }
  const config = parseConfig(yaml, 'split.yaml', environment)
  const inbox = await mqttInbox(t, `${root}/#`)
  const bridges = await Promise.all(
    ['in', 'out'].map((name) => startBridge(config, { routes: [name], log: recordingLog() })),
  )
  t.after(() => Promise.all(bridges.map((bridge) => bridge.close())))
  const [first, second] = bridges
  await eventually(
    () => assert.ok(bridges.every((bridge) => bridge.routes().every(({ ready }) => ready))),
    LATE,
  )
  assert.deepEqual(
    first?.routes().map(({ name }) => name),
    ['in'],
  )
  assert.deepEqual(second?.addresses(), {}, 'the other process does not listen')
  await post(`http://127.0.0.1:${first?.addresses().web?.port}/events`, { id: 'x' })
  await eventually(() => assert.deepEqual(ids(inbox), ['x']), LATE)
  await assert.rejects(startBridge(config, { routes: ['ot'] }), {
    code: 'TL_ROUTE_UNKNOWN',
    message: 'split.yaml has no route ot; did you mean out?',
  })
})
