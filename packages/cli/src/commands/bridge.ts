import type { Command } from 'commander'
import { type Address, parseAddress } from '../address.ts'
import { exitCodes } from '../failure.ts'
import type { Finish } from '../program.ts'
import { interrupted } from '../signals.ts'
import { startTelemetry } from '../telemetry.ts'

const help = `
Nothing is accepted at a source before the destination has confirmed it: whenever the bridge ends, however it ends, what
was under way is delivered again. SIGTERM and SIGINT drain: reading stops, what is in flight is finished and settled,
spans are flushed, exit code 0. A second signal ends it at once.

Brokers that are away are tried again until they return. It ends by itself, with code 1, only where it can do nothing
more: a port that is taken, or every route stopped.

Environment:
  OTEL_EXPORTER_OTLP_ENDPOINT      where spans go, e.g. http://127.0.0.1:4318 (OTLP over HTTP, protobuf); without it there
                                   are no spans of the bridge, and contexts pass through as they came
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, OTEL_EXPORTER_OTLP_HEADERS, OTEL_EXPORTER_OTLP_TIMEOUT,
  OTEL_EXPORTER_OTLP_COMPRESSION   as OpenTelemetry defines them
  OTEL_SERVICE_NAME                default throughline-bridge
  OTEL_RESOURCE_ATTRIBUTES         e.g. deployment.environment.name=staging
  OTEL_TRACES_SAMPLER[_ARG]        e.g. parentbased_traceidratio and 0.1
  OTEL_BSP_SCHEDULE_DELAY          milliseconds that spans wait to go out together (default 5000)
  OTEL_SDK_DISABLED                true: no spans
  and every variable that the configuration names as \${NAME}

Examples:
  throughline bridge --config bridge.yaml
  throughline bridge --config bridge.yaml --route readings --admin 127.0.0.1:9090
  curl -f http://127.0.0.1:9090/readyz
`

interface Options {
  readonly config: string
  readonly route?: readonly string[]
  readonly admin?: Address
  readonly instance?: string
}

/** `throughline bridge` */
export function addBridge(root: Command, finish: Finish): void {
  root
    .command('bridge')
    .description('move events between HTTP, Kafka and MQTT by a YAML file, at least once, the trace going on')
    .requiredOption('--config <file>', 'the configuration file (YAML)')
    .option('--route <name>', 'run this route only; may be repeated', (name, names: string[] = []) => [
      ...names,
      name,
    ])
    .option(
      '--admin <host:port>',
      "probes /livez and /readyz, and /routes; overrides the file's",
      parseAddress,
    )
    .option('--instance <id>', 'tells processes apart that run the same routes; the same after a restart')
    .addHelpText('after', help)
    .action(async (options: Options) => {
      await runBridge(options)
      finish(exitCodes.ok)
    })
}

async function runBridge({ config: file, route, admin, instance }: Options): Promise<void> {
  const { createLog, loadConfig, problemText, startBridge } = await import('@throughline/bridge')
  const config = await loadConfig(file)
  const log = createLog(process.stderr, { secrets: config.secrets })
  for (const warning of config.warnings) log.warn(problemText(file, warning))
  const end = interrupted()
  // Before any span: the library takes whatever SDK is there when a span begins.
  const telemetry = startTelemetry('throughline-bridge')
  try {
    const bridge = await startBridge(admin === undefined ? config : { ...config, admin: { listen: admin } }, {
      log,
      ...(route === undefined ? {} : { routes: route }),
      ...(instance === undefined ? {} : { instance }),
    })
    const signal = await Promise.race([end, bridge.closed])
    if (signal !== undefined) log.info(`${signal}: draining`)
    await bridge.close()
    await bridge.closed
  } finally {
    await telemetry?.shutdown()
  }
}
