import { join } from 'node:path'
import { cacheFolder, repository } from '../bootstrap/paths.mjs'
import type { ServiceName } from './options.ts'
import type { Service, ServiceSpec } from './service.ts'

/** Where everything is that the services need to know. */
export interface Addresses {
  readonly kafkaBrokers: string
  readonly mqttUrl: string
  readonly explorerPort: number
  readonly otlpPort: number
  readonly webhookPort: number
  readonly echoPort: number
  /** Admin servers of the two bridges. */
  readonly webhookAdminPort: number
  readonly forwarderAdminPort: number
}

export interface ServiceSettings {
  readonly addresses: Addresses
  readonly explorerDir: string
  readonly rate: number
  /** The services of `plain/`, on plain clients under the instrumentation. Default false: those of `src/`. */
  readonly plain?: boolean
  /** Services that export no spans. */
  readonly silent: readonly ServiceName[]
}

export const sourceFlags = ['--conditions=@throughline/source', '--disable-warning=ExperimentalWarning']
/** What services on plain clients load first. */
export const plainTelemetry = [
  '@throughline/example-telemetry/node-sdk',
  '@throughline/instrumentation/register',
]
const sensors = join(repository, 'examples/sensors')
const throughline = [...sourceFlags, join(repository, 'packages/cli/bin/throughline.js')]
export const local = (port: number) => `127.0.0.1:${port}`

export const urlsOf = ({ explorerPort, otlpPort, webhookPort, echoPort }: Addresses) => ({
  explorer: `http://${local(explorerPort)}`,
  otlp: `http://${local(otlpPort)}`,
  webhook: `http://${local(webhookPort)}/events`,
  echo: `http://${local(echoPort)}/echo`,
})

/** Every process of the demo beside the brokers, by what they are called. */
export function serviceSpecs(settings: ServiceSettings): Record<ServiceName | 'explorer', ServiceSpec> {
  const { addresses, rate, plain = false } = settings
  const urls = urlsOf(addresses)
  const telemetry = plain ? plainTelemetry : ['@throughline/example-telemetry']
  const file = (name: string) => [
    ...sourceFlags,
    ...telemetry.flatMap((module) => ['--import', module]),
    join(sensors, plain ? 'plain' : 'src', `${name}.ts`),
  ]
  const bridge = (route: string, admin: number) => [
    ...throughline,
    'bridge',
    ...['--config', join(sensors, 'bridge.yaml'), '--route', route, '--admin', local(admin)],
  ]
  const explorer = [
    ...throughline,
    'explorer',
    ...['--listen', local(addresses.explorerPort), '--otlp-http', local(addresses.otlpPort)],
    ...['--data', settings.explorerDir, '--retention-bytes', '1GB'],
  ]
  const spec = (
    name: ServiceName | 'explorer',
    args: readonly string[],
    isReady: ServiceSpec['isReady'],
  ) => ({
    name,
    args,
    isReady,
    cwd: sensors,
    env: environment(name, settings),
  })
  const answers = (url: string, status = 200) => {
    return async () => (await statusOf(url)) === status
  }
  return {
    explorer: spec('explorer', explorer, answers(`${urls.explorer}/api/status`)),
    echo: spec('echo', file('echo'), (service) => printed(service, 'listening')),
    device: spec('device', [...file('device'), '--print-ids'], (service) => printed(service, 'subscribed')),
    forwarder: spec(
      'forwarder',
      bridge('forwarder', addresses.forwarderAdminPort),
      answers(`http://${local(addresses.forwarderAdminPort)}/readyz`),
    ),
    webhook: spec(
      'webhook',
      bridge('readings', addresses.webhookAdminPort),
      answers(`http://${local(addresses.webhookAdminPort)}/readyz`),
    ),
    station: spec('station', [...file('station'), '--rate', `${rate}`, '--print-ids'], () => true),
    legacy: spec(
      'legacy',
      [...sourceFlags, join(sensors, 'src/legacy.ts'), '--rate', `${rate / 10}`],
      () => true,
    ),
  }
}

/** The caller's environment with OpenTelemetry's settings for a service; the caller's own are meant for something else. */
export function inheritedEnvironment(service: string, otlpUrl: string): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([variable]) => !variable.startsWith('OTEL_'))
  return {
    ...Object.fromEntries(inherited),
    // A third less processor time a start, which seven processes at once feel.
    NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? join(cacheFolder(), 'compile'),
    OTEL_SERVICE_NAME: service,
    OTEL_EXPORTER_OTLP_ENDPOINT: otlpUrl,
    // Journeys are to be seen at once; by default spans wait for five seconds.
    OTEL_BSP_SCHEDULE_DELAY: '300',
  }
}

function environment(name: ServiceName | 'explorer', settings: ServiceSettings): NodeJS.ProcessEnv {
  const { addresses, silent } = settings
  const urls = urlsOf(addresses)
  return {
    ...inheritedEnvironment(name, urls.otlp),
    ...(silent.some((one) => one === name) ? { OTEL_SDK_DISABLED: 'true' } : {}),
    KAFKA_BROKERS: addresses.kafkaBrokers,
    MQTT_URL: addresses.mqttUrl,
    WEBHOOK_LISTEN: local(addresses.webhookPort),
    WEBHOOK_URL: urls.webhook,
    ECHO_URL: urls.echo,
    PORT: `${addresses.echoPort}`,
  }
}

export const printed = (service: Service, word: string): boolean =>
  service.lastLines.some((line) => line.includes(word))

async function statusOf(url: string): Promise<number | null> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(2000) })
    await response.arrayBuffer()
    return response.status
  } catch {
    return null
  }
}
