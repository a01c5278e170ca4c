import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { type Explorer, startExplorer } from '@throughline/explorer'
import { eventually } from '@throughline/testkit'
import { journeyWith } from './support/journey.ts'
import { brokers, createPipeline, type Pipeline } from './support/pipeline.ts'
import { readTopic, tapMqtt } from './support/wire.ts'

const run = promisify(execFile)
let folder = ''
let explorer: Explorer
let pipeline: Pipeline

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'throughline-strangers-'))
  explorer = await startExplorer({ listen: '127.0.0.1:0', otlpHttp: '127.0.0.1:0', dataDir: folder })
  pipeline = await createPipeline({ otlpUrl: explorer.otlpUrl })
  for (const name of ['echo', 'device', 'forwarder', 'webhook'] as const) await pipeline.start(name)
})
after(async () => {
  await pipeline[Symbol.asyncDispose]()
  await explorer.close()
  await rm(folder, { recursive: true, force: true })
})

const journeyOf = (id: string, spans: number) => journeyWith(explorer, id, spans)

const curl = (args: readonly string[]) =>
  run('curl', ['-sS', '-X', 'POST', '-w', '\n%{http_code}', pipeline.urls.webhook, ...args])

describe('a stranger', () => {
  test('posts an event by plain curl: the journey begins with an unknown publisher and is otherwise whole', async () => {
    const headers = [
      'ce-specversion: 1.0',
      'ce-id: by-curl',
      'ce-source: /curl',
      'ce-type: t',
      'ce-subject: sensor-009',
    ]
    const data = ['-H', 'content-type: application/json', '-d', '{"celsius":1}']
    const { stdout } = await curl([...headers.flatMap((header) => ['-H', header]), ...data])
    assert.equal(stdout.trim(), '204')
    const journey = await journeyOf('by-curl', 7)
    assert.deepEqual(
      journey.hops.map(({ transport, from, to }) => [transport, from, to]),
      [
        ['http', null, 'webhook'],
        ['kafka', 'webhook', 'forwarder'],
        ['mqtt', 'forwarder', 'device'],
        ['http', 'device', 'echo'],
      ],
    )
    assert.deepEqual(
      journey.findings.map(({ code, title }) => [code, title]),
      [['no-context', 'no context, publisher unknown, path /events']],
    )
    assert.equal(journey.traceIds.length, 1)
  })

  test('continues a trace by curl: the process span is a child of the span that curl names', async () => {
    const parent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
    const event =
      '{"specversion":"1.0","id":"with-context","source":"/curl","type":"t","subject":"sensor-009","data":{}}'
    const { stdout } = await curl([
      '-H',
      `traceparent: ${parent}`,
      '-H',
      'content-type: application/cloudevents+json',
      '-d',
      event,
    ])
    assert.equal(stdout.trim(), '204')
    const journey = await journeyOf('with-context', 7)
    assert.deepEqual(journey.traceIds, ['4bf92f3577b34da6a3ce929d0e0e4736'])
    assert.equal(journey.spans[0]?.parentSpanId, '00f067aa0ba902b7')
  })

  const refused: [
    what: string,
    args: readonly string[],
    status: number,
    code: string,
    attribute: string | undefined,
  ][] = [
    [
      'without an id',
      ['-H', 'ce-specversion: 1.0', '-H', 'ce-source: /', '-H', 'ce-type: t'],
      400,
      'TL_EVENT_INVALID',
      'id',
    ],
    [
      'of another specversion',
      ['-H', 'ce-specversion: 0.3', '-H', 'ce-id: 1', '-H', 'ce-source: /', '-H', 'ce-type: t'],
      400,
      'TL_EVENT_INVALID',
      'specversion',
    ],
    [
      'of broken JSON',
      ['-H', 'content-type: application/cloudevents+json', '-d', '{'],
      400,
      'TL_EVENT_INVALID',
      'body',
    ],
    [
      'with both data and data_base64',
      [
        ...['-H', 'content-type: application/cloudevents+json', '-d'],
        '{"specversion":"1.0","id":"1","source":"/","type":"t","data":1,"data_base64":"AA=="}',
      ],
      400,
      'TL_EVENT_INVALID',
      'data_base64',
    ],
    [
      'that is plain text',
      ['-H', 'content-type: text/plain', '-d', 'hello'],
      415,
      'TL_CONTENT_TYPE_UNSUPPORTED',
      undefined,
    ],
  ]
  for (const [what, args, status, code, attribute] of refused) {
    test(`is answered ${status} with what is wrong for an event ${what}`, async () => {
      const { stdout } = await curl(args)
      const [body = '', answered] = stdout.split('\n')
      const problem = JSON.parse(body)
      assert.deepEqual(
        [Number(answered), problem.status, problem.code, problem.attribute],
        [status, status, code, attribute],
      )
      assert.ok(problem.detail.length > 10)
    })
  }

  test('is answered 413 for a body over the limit', async () => {
    const response = await fetch(pipeline.urls.webhook, { method: 'POST', body: new Uint8Array(2 << 20) })
    assert.equal(response.status, 413)
    assert.match(await response.text(), /"code":"TL_TOO_LARGE"/)
  })

  test('with a broken traceparent has its event taken all the same', async () => {
    const event =
      '{"specversion":"1.0","id":"broken-context","source":"/curl","type":"t","subject":"sensor-009"}'
    const { stdout } = await curl([
      '-H',
      'traceparent: nonsense',
      '-H',
      'content-type: application/cloudevents+json',
      '-d',
      event,
    ])
    assert.equal(stdout.trim(), '204')
    const journey = await journeyOf('broken-context', 7)
    assert.equal(journey.findings[0]?.code, 'invalid-context')
  })

  test('publishes to MQTT without any context: a root that says so, found as such in the explorer', async () => {
    const { hostname, port } = new URL(brokers().mqttUrl)
    const properties = Object.entries({
      specversion: '1.0',
      id: 'by-mosquitto',
      source: '/legacy',
      type: 't',
    })
    await run('mosquitto_pub', [
      ...[
        '-h',
        hostname,
        '-p',
        port,
        '-V',
        '5',
        '-q',
        '1',
        '-t',
        'sensors/sensor-042/reading',
        '-m',
        '{"celsius":5}',
      ],
      ...['-D', 'publish', 'content-type', 'application/json'],
      ...properties.flatMap(([name, value]) => ['-D', 'publish', 'user-property', name, value]),
    ])
    const journey = await journeyOf('by-mosquitto', 3)
    const [root] = journey.spans
    assert.deepEqual([root?.name, root?.parentSpanId], ['process sensors/{id}/reading', null])
    assert.equal(root?.attributes['mqtt.missing_context'], true)
    assert.deepEqual(
      journey.findings.map(({ title }) => title),
      ['no context, publisher unknown, topic sensors/sensor-042/reading'],
    )
    assert.deepEqual([journey.hops[0]?.from, journey.hops[0]?.to], [null, 'device'])
  })

  test('publishes nonsense to MQTT: it is kept as a dead letter with the reason, and the device goes on', async () => {
    const { hostname, port } = new URL(brokers().mqttUrl)
    const to = ['-h', hostname, '-p', port, '-V', '5', '-q', '1', '-t', 'sensors/sensor-042/reading']
    await using letters = await tapMqtt(brokers().mqttUrl, 'dead/#')
    await run('mosquitto_pub', [...to, '-m', 'nonsense'])
    const event = { specversion: '1.0', id: 'after-nonsense', source: '/legacy', type: 't' }
    await run('mosquitto_pub', [...to, '-m', JSON.stringify(event)])
    await journeyOf('after-nonsense', 3)
    const [letter] = await eventually(() => {
      assert.equal(letters.messages.length, 1)
      return letters.messages
    })
    const properties = letter?.properties['user-properties']
    assert.match(
      properties?.['throughline-dead-letter-reason'] ?? '',
      /^specversion: is required and missing/,
    )
    assert.equal(properties?.['throughline-dead-letter-source'], 'sensors/sensor-042/reading')
    assert.equal(letter?.payload, 'nonsense')
  })

  test('produces nonsense to Kafka: the forwarder keeps it as a dead letter with its position, and goes on', async () => {
    const { kafkaBrokers } = brokers()
    const kcat = execFile('kcat', [
      '-b',
      kafkaBrokers,
      '-P',
      '-t',
      'sensor-readings',
      '-p',
      '0',
      '-k',
      'sensor-009',
    ])
    const done = once(kcat, 'exit')
    kcat.stdin?.end('nonsense')
    assert.deepEqual(await done, [0, null])
    const event = '{"specversion":"1.0","id":"after-kcat","source":"/curl","type":"t","subject":"sensor-009"}'
    await curl(['-H', 'content-type: application/cloudevents+json', '-d', event])
    await journeyOf('after-kcat', 7)
    const letters = await eventually(async () => {
      const found = await readTopic(kafkaBrokers, 'sensor-readings.dead')
      assert.ok(found.some(({ payload }) => payload === 'nonsense'))
      return found
    })
    const headers = Object.fromEntries(letters.find(({ payload }) => payload === 'nonsense')?.headers ?? [])
    assert.match(headers['throughline-dead-letter-source'] ?? '', /^sensor-readings\[0\]@\d+$/)
    assert.equal(headers['throughline-dead-letter-route'], 'forwarder')
    assert.match(headers['throughline-dead-letter-reason'] ?? '', /^specversion: is required and missing/)
  })
})
