import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import type { TestContext } from 'node:test'
import type { Message } from '@throughline/core'
import { createTopics, kafka } from '@throughline/kafka'
import { mqtt } from '@throughline/mqtt'
import { eventually } from '@throughline/testkit'
import { type Bridge, startBridge } from '../src/bridge.ts'
import { parseConfig } from '../src/config/read.ts'
import { type recordingLog as makeLog, recordingLog } from './memory.ts'

function address(name: string): string {
  const value = process.env[name]
  assert.ok(value, `${name} is not set: eval "$(npm run --silent brokers -- start)"`)
  return value
}

export const kafkaBrokers = () => address('KAFKA_BROKERS')
export const mqttUrl = () => address('MQTT_URL')
export const amqpUrl = () => address('AMQP_URL')

export function unique(name: string): string {
  return `${name}-${randomBytes(4).toString('hex')}`
}

/** A topic of this test's own. */
export async function newTopic(name: string, partitions = 2): Promise<string> {
  const topic = unique(name)
  await createTopics({ brokers: kafkaBrokers() }, [{ name: topic, partitions }])
  return topic
}

/** Everything that arrives at an MQTT filter from now on, by a client of our own. */
export async function mqttInbox(t: TestContext, filter: string): Promise<readonly Message[]> {
  const messages: Message[] = []
  const broker = mqtt({ url: mqttUrl(), clientId: unique('inbox') })
  await broker.subscribe({ topics: [filter], raw: true }, (message) => void messages.push(message))
  t.after(() => broker.close())
  return messages
}

/** The same for a Kafka topic, from its beginning. */
export async function kafkaInbox(t: TestContext, topic: string): Promise<readonly Message[]> {
  const messages: Message[] = []
  const broker = kafka({ brokers: kafkaBrokers() })
  await broker.subscribe(
    { topics: [topic], group: unique('inbox'), raw: true },
    (message) => void messages.push(message),
  )
  t.after(() => broker.close())
  return messages
}

/** A bridge in this process, closed after the test, once its routes are ready. `yaml` may use ${KAFKA_BROKERS}, ${MQTT_URL} and ${AMQP_URL}. */
export async function runBridge(
  t: TestContext,
  yaml: string,
): Promise<{ readonly bridge: Bridge; readonly log: ReturnType<typeof makeLog> }> {
  const { bridge, log } = await startingBridge(t, yaml)
  await eventually(
    () =>
      assert.ok(
        bridge.routes().every(({ ready }) => ready),
        log.lines.join('\n'),
      ),
    {
      timeoutMs: 30_000,
    },
  )
  return { bridge, log }
}

/** The same, whether its routes are ready or not. */
export async function startingBridge(
  t: TestContext,
  yaml: string,
): Promise<{ readonly bridge: Bridge; readonly log: ReturnType<typeof makeLog> }> {
  const log = recordingLog()
  const config = parseConfig(yaml, 'test.yaml', {
    KAFKA_BROKERS: kafkaBrokers(),
    MQTT_URL: mqttUrl(),
    AMQP_URL: amqpUrl(),
  })
  const bridge = await startBridge(config, { log })
  t.after(() => bridge.close())
  return { bridge, log }
}

export interface Post {
  readonly id: string
  readonly subject?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

/** Posts an event in binary mode, as curl would. */
export function post(
  url: string,
  { id, subject = 's1', headers = {}, body = `{"id":"${id}"}` }: Post,
): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    headers: {
      'ce-specversion': '1.0',
      'ce-id': id,
      'ce-source': '/test',
      'ce-type': 'com.example.test',
      'ce-subject': subject,
      'content-type': 'application/json',
      ...headers,
    },
    body,
  })
}
