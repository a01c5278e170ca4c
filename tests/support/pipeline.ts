import assert from 'node:assert/strict'
import { freePorts } from '../../scripts/brokers/ports.ts'
import { createTopics } from '../../scripts/brokers/topics.ts'
import { createFleet, type Fleet } from '../../scripts/demo/fleet.ts'
import type { ServiceName } from '../../scripts/demo/options.ts'
import type { Service, ServiceSpec } from '../../scripts/demo/service.ts'
import { type Addresses, serviceSpecs, urlsOf } from '../../scripts/demo/services.ts'

export interface PipelineOptions {
  /** Where the services send their spans, `http://127.0.0.1:<port>`. */
  readonly otlpUrl: string
  /** Instead of the broker's own, e.g. a proxy's that can be cut. */
  readonly kafkaBrokers?: string
  readonly mqttUrl?: string
  /** Station, device and echo on plain clients under the instrumentation. */
  readonly plain?: boolean
}

/** The sensors example as processes over the test's brokers, without its publishers: those a test starts itself. */
export interface Pipeline extends AsyncDisposable {
  readonly addresses: Addresses
  readonly urls: ReturnType<typeof urlsOf>
  /** Starts one of the services; `args` come after its own. */
  start(name: ServiceName, args?: readonly string[], env?: NodeJS.ProcessEnv): Promise<Service>
  /** What the service has printed to stdout so far, line by line. */
  printed(name: ServiceName): readonly string[]
}

/** `HOST:PORT,…`, `mqtt://…` and `amqp://…` of the brokers that the test run has started. Fails where there are none. */
export function brokers(): {
  readonly kafkaBrokers: string
  readonly mqttUrl: string
  readonly amqpUrl: string
} {
  const { KAFKA_BROKERS: kafkaBrokers, MQTT_URL: mqttUrl, AMQP_URL: amqpUrl } = process.env
  assert.ok(
    kafkaBrokers && mqttUrl && amqpUrl,
    'KAFKA_BROKERS, MQTT_URL and AMQP_URL name the brokers: npm test sets them',
  )
  return { kafkaBrokers, mqttUrl, amqpUrl }
}

export async function createPipeline(options: PipelineOptions): Promise<Pipeline> {
  const { kafkaBrokers, mqttUrl } = { ...brokers(), ...options }
  await createTopics(brokers().kafkaBrokers, [
    { name: 'sensor-readings', partitions: 3 },
    { name: 'sensor-readings.dead' },
  ])
  const [webhookPort = 0, echoPort = 0, webhookAdminPort = 0, forwarderAdminPort = 0] = await freePorts(4)
  const otlpPort = Number(new URL(options.otlpUrl).port)
  const ports = { explorerPort: 0, otlpPort, webhookPort, echoPort, webhookAdminPort, forwarderAdminPort }
  const addresses: Addresses = { kafkaBrokers, mqttUrl, ...ports }
  const lines = new Map<string, string[]>()
  const fleet: Fleet = createFleet(() => {})
  const specs = serviceSpecs({
    addresses,
    explorerDir: '',
    rate: 1,
    silent: [],
    plain: options.plain ?? false,
  })

  async function start(
    name: ServiceName,
    args: readonly string[] = [],
    env: NodeJS.ProcessEnv = {},
  ): Promise<Service> {
    const spec: ServiceSpec = specs[name]
    const printed = lines.get(name) ?? []
    lines.set(name, printed)
    return fleet.start({
      ...spec,
      args: [...spec.args, ...args],
      env: { ...spec.env, ...env },
      onLine: (line) => void printed.push(line),
    })
  }

  return {
    addresses,
    urls: urlsOf(addresses),
    start,
    printed: (name) => lines.get(name) ?? [],
    [Symbol.asyncDispose]: () => fleet.stop(),
  }
}
