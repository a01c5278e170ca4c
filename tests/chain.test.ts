import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, test } from 'node:test'
import { type Explorer, type JourneyJson, startExplorer, toJourneyJson } from '@throughline/explorer'
import { eventually } from '@throughline/testkit'
import { createTopics } from '../scripts/brokers/topics.ts'
import { journeyWith } from './support/journey.ts'
import { brokers } from './support/pipeline.ts'

// Five plain services, each on another client, without a word of Throughline: tests/chain/*.ts.
const SERVICES = ['notification', 'shipping', 'payment', 'inventory', 'order'] as const
type Service = (typeof SERVICES)[number]

let explorer: Explorer
let folder: string
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'throughline-chain-'))
  explorer = await startExplorer({ listen: '127.0.0.1:0', otlpHttp: '127.0.0.1:0', dataDir: folder })
})
after(async () => {
  await explorer.close()
  await rm(folder, { recursive: true, force: true })
})

interface Chain extends AsyncDisposable {
  /** Places an order and resolves when the customer has been told of it. */
  order(id: string): Promise<void>
}

/** Starts the services, all of them under `register` but those that are `plain`. */
async function startChain(plain: readonly Service[] = []): Promise<Chain> {
  const run = randomBytes(4).toString('hex')
  const { kafkaBrokers, amqpUrl, mqttUrl } = brokers()
  const places = {
    ORDERS: `orders-${run}`,
    RESERVED: `reserved-${run}`,
    PAID: `paid-${run}`,
    SHIPPED: `shipped-${run}`,
  }
  await createTopics(kafkaBrokers, [{ name: places.ORDERS }])
  const env = {
    ...process.env,
    ...places,
    KAFKA: kafkaBrokers,
    AMQP: withUser(amqpUrl),
    MQTT: mqttUrl,
    OTEL_EXPORTER_OTLP_ENDPOINT: explorer.otlpUrl,
    OTEL_METRICS_EXPORTER: 'none',
    OTEL_BSP_SCHEDULE_DELAY: '100',
  }
  const children = new Map<Service, ChildProcess>()
  const printed: string[] = []

  async function start(name: Service): Promise<void> {
    const register = plain.includes(name) ? [] : ['--import', '@throughline/instrumentation/register']
    const child = spawn(
      process.execPath,
      [
        '--conditions=@throughline/source',
        '--disable-warning=ExperimentalWarning',
        ...register,
        join(import.meta.dirname, `chain/${name}.ts`),
      ],
      { env: { ...env, OTEL_SERVICE_NAME: name }, stdio: ['pipe', 'pipe', 'inherit'] },
    )
    children.set(name, child)
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    child.once('exit', (code) => reject(new Error(`${name} ended with ${code}`)))
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line === 'ready') resolve()
      else printed.push(line)
    })
    await promise
  }

  const chain: Chain = {
    async order(id) {
      children.get('order')?.stdin?.write(`${id}\n`)
      const told = () => assert.ok(printed.includes(`notified of ${id}`))
      await eventually(told, { timeoutMs: 30_000 })
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(
        [...children.values()].map(async (child) => {
          if (child.exitCode !== null || child.signalCode !== null) return
          const exited = once(child, 'exit')
          child.kill('SIGTERM')
          await exited
        }),
      )
    },
  }
  try {
    for (const name of SERVICES) await start(name)
  } catch (error) {
    await chain[Symbol.asyncDispose]()
    throw error
  }
  return chain
}

/** rabbitmq-client takes a URL without a user for one with an empty one. */
function withUser(address: string): string {
  const url = new URL(address)
  if (url.username === '') Object.assign(url, { username: 'guest', password: 'guest' })
  return url.href
}

const hopsOf = ({ hops }: JourneyJson) =>
  hops.map(({ transport, from, to }) => `${transport} ${from ?? 'nobody'} → ${to ?? 'nobody'}`)

test('five services on five clients, across Kafka, RabbitMQ and MQTT, are one journey', async () => {
  const id = `order-${randomBytes(4).toString('hex')}`
  await using chain = await startChain()
  await chain.order(id)
  // A send and a process each.
  const whole = await journeyWith(explorer, id, 8)
  assert.equal(whole.traceIds.length, 1)
  const journey = toJourneyJson(whole)
  assert.deepEqual(hopsOf(journey), [
    'kafka order → inventory',
    'rabbitmq inventory → payment',
    'rabbitmq payment → shipping',
    'mqtt shipping → notification',
  ])
  assert.deepEqual(journey.missing, [])
})

test('one of them that is left uninstrumented is the break in the journey, and is named', async () => {
  const id = `order-${randomBytes(4).toString('hex')}`
  await using chain = await startChain(['payment'])
  await chain.order(id)
  const journey = toJourneyJson(await journeyWith(explorer, id, 6))
  assert.deepEqual(hopsOf(journey), [
    'kafka order → inventory',
    'rabbitmq inventory → nobody',
    'rabbitmq nobody → shipping',
    'mqtt shipping → notification',
  ])
  assert.deepEqual(journey.missing.map((text) => text.replaceAll(/-[\da-f]{8}/g, '')).toSorted(), [
    'hop 2 (rabbitmq reserved): sent by inventory, received by nobody that was seen',
    'hop 3 (rabbitmq paid): no context, publisher unknown, topic paid',
  ])
})
