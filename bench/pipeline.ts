import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { Agent, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connectAsync } from 'mqtt'
import { freePorts } from '../scripts/brokers/ports.ts'
import { type Brokers, startBrokers } from '../scripts/brokers/set.ts'
import { createTopics } from '../scripts/brokers/topics.ts'
import { type Child, startChild } from './child.ts'
import { machine, median, quantile, ratioText, table } from './figures.ts'
import type { BenchOptions } from './run.ts'

const root = join(import.meta.dirname, '..')
const IN_FLIGHT = 64
const WARM_UP = 1000

/** One half of a pair. */
interface Figures {
  readonly eventsPerSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** CPU time of the bridge an event. */
  readonly cpuMicros: number
}

/**
 * HTTP → Kafka → MQTT through one bridge process, with tracing off and on (every span sampled and exported to a local
 * receiver). Closed loop: 64 requests under way, latency from the request's start to the event's arrival over MQTT.
 */
export async function pipeline({ pairs, events }: BenchOptions): Promise<void> {
  console.log(
    `pipeline: HTTP → Kafka → MQTT through the bridge, ${events} events of 256 B, ${IN_FLIGHT} under way`,
  )
  console.log(`  ${machine()}`)
  const folder = await mkdtemp(join(tmpdir(), 'throughline-bench-'))
  const brokers = await startBrokers({ kafka: true, mosquitto: true, dir: join(folder, 'brokers') })
  try {
    await using sink = startChild(join(root, 'bench/discard-sink.ts'), [])
    const sinkUrl = await sink.line(/^http:/)
    const off: Figures[] = []
    const on: Figures[] = []
    for (let pair = 1; pair <= pairs; pair++) {
      off.push(await measure(brokers, folder, `off-${pair}`, events, {}))
      on.push(await measure(brokers, folder, `on-${pair}`, events, { OTEL_EXPORTER_OTLP_ENDPOINT: sinkUrl }))
      console.log(`  pair ${pair} of ${pairs}: off ${line(off.at(-1))}, on ${line(on.at(-1))}`)
    }
    print(off, on)
  } finally {
    await brokers.stop()
    await rm(folder, { recursive: true, force: true })
  }
}

async function measure(
  brokers: Brokers,
  folder: string,
  name: string,
  events: number,
  env: NodeJS.ProcessEnv,
): Promise<Figures> {
  const bootstrap = brokers.kafka?.bootstrap ?? ''
  const mqttUrl = brokers.mqtt?.url ?? ''
  const [port = 0, adminPort = 0] = await freePorts(2)
  const topic = `bench-${name}`
  await createTopics(bootstrap, [{ name: topic, partitions: 4 }])
  const config = join(folder, `${name}.yaml`)
  await writeFile(config, configuration(port, bootstrap, mqttUrl, topic))

  const arrived = new Map<string, number>()
  const client = await connectAsync(mqttUrl, { protocolVersion: 5, clean: true })
  client.on('message', (_topic, _body, packet) => {
    const id = packet.properties?.userProperties?.id
    if (typeof id === 'string') arrived.set(id, performance.now())
  })
  await client.subscribeAsync(`${topic}/#`, { qos: 1 })

  const command = join(root, 'packages/cli/bin/throughline.js')
  const args = ['bridge', '--config', config, '--admin', `127.0.0.1:${adminPort}`]
  await using bridge = startChild(command, args, env)
  await untilReady(adminPort, bridge)
  try {
    await load(port, 'warm-up', WARM_UP, arrived)
    const cpuBefore = bridge.cpuMicros()
    const { sent, startedAt } = await load(port, 'event', events, arrived)
    const latencies = [...sent].map(([id, at]) => (arrived.get(id) ?? Number.NaN) - at)
    const elapsedMs = Math.max(...arrived.values()) - startedAt
    return {
      eventsPerSecond: events / (elapsedMs / 1000),
      p50Ms: quantile(latencies, 0.5),
      p99Ms: quantile(latencies, 0.99),
      cpuMicros: (bridge.cpuMicros() - cpuBefore) / events,
    }
  } finally {
    await client.endAsync()
  }
}

const configuration = (port: number, bootstrap: string, mqttUrl: string, topic: string) => `
connections:
  web: { type: http, listen: "127.0.0.1:${port}" }
  kafka: { type: kafka, brokers: "${bootstrap}" }
  edge: { type: mqtt, url: "${mqttUrl}", clientId: ${topic} }
routes:
  in:
    from: { connection: web, path: /events }
    to: { connection: kafka, topic: ${topic}, key: "{{ event.subject }}" }
  out:
    from: { connection: kafka, topics: [${topic}], group: ${topic} }
    to: { connection: edge, topic: "${topic}/{{ event.subject }}", qos: 1 }
`

async function untilReady(adminPort: number, bridge: Child): Promise<void> {
  while (bridge.process.exitCode === null) {
    const ready = await fetch(`http://127.0.0.1:${adminPort}/readyz`).catch(() => null)
    if (ready?.ok) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  await bridge.ended
}

/** Posts events with IN_FLIGHT requests under way and resolves when all have arrived. */
async function load(port: number, prefix: string, count: number, arrived: ReadonlyMap<string, number>) {
  const agent = new Agent({ keepAlive: true, maxSockets: IN_FLIGHT })
  const sent = new Map<string, number>()
  const startedAt = performance.now()
  let next = 0
  const worker = async () => {
    while (next < count) {
      const id = `${prefix}-${next++}`
      sent.set(id, performance.now())
      await post(agent, port, id, `sensor-${next % 16}`)
    }
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker))
  while (![...sent.keys()].every((id) => arrived.has(id)))
    await new Promise((resolve) => setTimeout(resolve, 5))
  agent.destroy()
  return { sent, startedAt }
}

const BODY = Buffer.from(JSON.stringify({ celsius: 21.5, note: 'x'.repeat(226) }))

function post(agent: Agent, port: number, id: string, subject: string): Promise<void> {
  const headers = {
    'ce-specversion': '1.0',
    'ce-id': id,
    'ce-source': '/bench',
    'ce-type': 'com.example.sensor.reading',
    'ce-subject': subject,
    'content-type': 'application/json',
    'content-length': BODY.length,
  }
  return new Promise((resolve, reject) => {
    const call = request(
      { agent, host: '127.0.0.1', port, path: '/events', method: 'POST', headers },
      (response) => {
        response.resume().on('end', () => {
          if (response.statusCode === 204) resolve()
          else reject(new Error(`${id} was answered ${response.statusCode}`))
        })
      },
    )
    call.on('error', reject).end(BODY)
  })
}

const line = (figures: Figures | undefined) =>
  figures === undefined ? '' : `${figures.eventsPerSecond.toFixed(0)}/s p99 ${figures.p99Ms.toFixed(0)} ms`

function print(off: readonly Figures[], on: readonly Figures[]): void {
  const row = (label: string, of: (figures: Figures) => number, digits: number) => {
    const [a, b] = [off.map(of), on.map(of)]
    return [label, median(a).toFixed(digits), median(b).toFixed(digits), ratioText(b, a)]
  }
  console.log(
    table([
      ['', 'tracing off', 'on', 'on / off (spread over pairs)'],
      row('events/s', ({ eventsPerSecond }) => eventsPerSecond, 0),
      row('p50 ms', ({ p50Ms }) => p50Ms, 1),
      row('p99 ms', ({ p99Ms }) => p99Ms, 1),
      row('bridge CPU µs/event', ({ cpuMicros }) => cpuMicros, 0),
    ]),
  )
}
