import assert from 'node:assert/strict'
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { z } from 'zod'

/** What strangers' clients see on the wire: kcat and mosquitto_sub, which know nothing of Throughline. */

const kafkaRecord = z.object({
  topic: z.string(),
  partition: z.number(),
  offset: z.number(),
  headers: z.array(z.string().nullable()).default([]),
  key: z.string().nullable().default(null),
  payload: z.string().nullable(),
})
const mqttMessage = z.object({
  topic: z.string(),
  qos: z.number(),
  properties: z
    .object({
      'user-properties': z.record(z.string(), z.string()).default({}),
      'content-type': z.string().optional(),
    })
    .default({ 'user-properties': {} }),
  payload: z.string(),
})

export type MqttMessage = z.infer<typeof mqttMessage>
export interface KafkaRecord {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly key: string | null
  readonly payload: string | null
}

/** Everything in a topic, read by kcat without a group. */
export async function readTopic(kafkaBrokers: string, topic: string): Promise<readonly KafkaRecord[]> {
  const args = ['-b', kafkaBrokers, '-C', '-t', topic, '-o', 'beginning', '-e', '-q', '-J']
  const { stdout } = await promisify(execFile)('kcat', args, { maxBuffer: 64 << 20 })
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const { headers, ...rest } = kafkaRecord.parse(JSON.parse(line))
      const pairs = headers.flatMap((name, index) =>
        index % 2 === 0 ? [[name ?? '', headers[index + 1] ?? ''] as const] : [],
      )
      return { ...rest, headers: pairs }
    })
}

export interface MqttTap extends AsyncDisposable {
  readonly messages: readonly MqttMessage[]
}

/** Listens with mosquitto_sub; resolves when the broker has confirmed the subscription. */
export async function tapMqtt(mqttUrl: string, filter: string): Promise<MqttTap> {
  const { hostname, port } = new URL(mqttUrl)
  const args = ['-d', '-h', hostname, '-p', port, '-V', '5', '-q', '1', '-t', filter, '-F', '%j']
  const child: ChildProcess = spawn('stdbuf', ['-oL', 'mosquitto_sub', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const messages: MqttMessage[] = []
  const subscribed = Promise.withResolvers<void>()
  const output = child.stdout
  assert.ok(output)
  createInterface({ input: output }).on('line', (line) => {
    if (line.startsWith('Subscribed')) subscribed.resolve()
    // With -d its own log stands between the messages.
    if (line.startsWith('{')) messages.push(mqttMessage.parse(JSON.parse(line)))
  })
  child.on('exit', () => subscribed.reject(new Error('mosquitto_sub ended before it had subscribed')))
  child.on('error', (error) => subscribed.reject(error))
  await subscribed.promise
  return {
    messages,
    async [Symbol.asyncDispose]() {
      const ended = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGTERM')
      await ended
    },
  }
}
