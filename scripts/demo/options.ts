import { parseArgs } from 'node:util'
import { z } from 'zod'

export const serviceNames = ['station', 'webhook', 'forwarder', 'device', 'echo', 'legacy'] as const
export type ServiceName = (typeof serviceNames)[number]

export const help = `Usage: throughline demo [orders] [options]          (npm run demo -- [orders] [options] does the same)

Starts Kafka and Mosquitto, the explorer and the services of examples/sensors, each a process of its own, posts a sensor
reading a second, and prints the first one's journey when it is complete:

  station → webhook (HTTP) → Kafka → forwarder → MQTT → device → echo (HTTP)

With "orders" the services of examples/orders run beside them, with RabbitMQ. 500 orders are placed, the first of them is
replayed, and its journeys are printed too:

  customer → order (HTTP) → Kafka → inventory, notification (fails twice), analytics (in batches),
                                    payment → RabbitMQ → shipping

With "--plain" station, device, echo and all services of examples/orders are those that have nothing of Throughline in them,
on kafkajs, MQTT.js, amqplib and others, traced by @throughline/instrumentation; with 50 orders.

Then it goes on until Ctrl-C, which stops everything that it started and nothing else.

  --once                    exit after the first complete journey, with "orders" after the last: 0 only if every hop is there
  --json                    each journey as one line of JSON on stdout; everything else goes to stderr
  --wait SECONDS            how long the first journey may take until it counts as incomplete (default 30)
  --plain                   services on plain clients under the instrumentation
  --rate N                  readings a second (default 1); one more in ten comes from a publisher without any tracing
  --port N                  port of the explorer's page (default 4319 if it is free, else any)
  --without-exporter NAME   a service that exports no spans, to see what the explorer says of it; may be repeated:
                            station, webhook, forwarder, device or echo
  --logs                    print what the services print
  -h, --help                print this

Environment:
  KAFKA_BROKERS, MQTT_URL, AMQP_URL
                            brokers to use instead of starting them
  THROUGHLINE_CACHE         where brokers and data are kept (default ~/.cache/throughline)

Exit codes: 0 ended as asked, 1 something failed or, with --once, a hop is missing, 2 an option is wrong
`

const number = (expected: string) =>
  z
    .string()
    .regex(/^\d+(\.\d+)?$/, expected)
    .transform(Number)

const schema = z.object({
  /** Whether examples/orders runs too. */
  orders: z.boolean(),
  /** Whether the services are those on plain clients. */
  plain: z.boolean(),
  once: z.boolean(),
  json: z.boolean(),
  logs: z.boolean(),
  help: z.boolean(),
  wait: number('--wait takes seconds').pipe(z.number().positive('--wait takes seconds above 0')),
  rate: number('--rate takes readings a second').pipe(
    z.number().positive('--rate takes more than 0 readings a second').max(1000, '--rate takes 1000 at most'),
  ),
  port: number('--port takes a port number')
    .pipe(z.int('--port takes a port number').min(1).max(65_535, '--port takes a port number'))
    .optional(),
  'without-exporter': z.array(
    z.enum(serviceNames, { error: `--without-exporter takes ${serviceNames.slice(0, -1).join(', ')}` }),
  ),
})
export type DemoOptions = z.infer<typeof schema>

/** An option that is not one. */
export class DemoUsageError extends Error {
  readonly code = 'TL_USAGE'
}

/** @throws DemoUsageError saying in one sentence what is wrong. */
export function parseOptions(args: readonly string[]): DemoOptions {
  const parsed = schema.safeParse(valuesOf(args))
  if (parsed.success) return parsed.data
  throw new DemoUsageError(parsed.error.issues[0]?.message)
}

function valuesOf(args: readonly string[]): unknown {
  const flag = { type: 'boolean', default: false } as const
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        plain: flag,
        once: flag,
        json: flag,
        logs: flag,
        help: { ...flag, short: 'h' },
        wait: { type: 'string', default: '30' },
        rate: { type: 'string', default: '1' },
        port: { type: 'string' },
        'without-exporter': { type: 'string', multiple: true, default: [] },
      },
    })
    const other = positionals.find((example) => example !== 'orders')
    if (other !== undefined) throw new Error(`"${other}" is no example: the one to name is orders`)
    return { ...values, orders: positionals.length > 0 }
  } catch (error) {
    throw new DemoUsageError(error instanceof Error ? error.message.split(/\.[ \n]/)[0] : String(error))
  }
}
