import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startBrokers } from '../scripts/brokers/set.ts'
import { createTopics } from '../scripts/brokers/topics.ts'
import { startChild } from './child.ts'
import { machine, median, table } from './figures.ts'
import { type Measured, startMeasured } from './overhead/variant.ts'
import type { BenchOptions } from './run.ts'

/** OpenTelemetry's contrib has an instrumentation of the first two. */
const CLIENTS = ['kafkajs', 'amqplib', 'mqtt', 'rabbitmq-client', 'platformatic-kafka']
const OF_CONTRIB = new Set(['kafkajs', 'amqplib'])
/** The least that gives a trace: what the SDK and the client's encoder of headers take, whoever calls them. */
const BY_HAND = ['hand unsampled', 'hand sampled']
const OURS = ['ours unsampled', 'ours sampled']
const CONTRIB = ['contrib unsampled', 'contrib sampled']
const BYTES = 256
const WARM_UP = 20_000

/**
 * CPU time that an instrumentation adds to a message, publish + consume, of a plain service on each client: bare,
 * traced by hand, under OpenTelemetry contrib's instrumentation, under ours; unsampled and sampled. Each variant is a
 * process of its own.
 */
export async function instrumentation({ pairs, events, transports = CLIENTS }: BenchOptions): Promise<void> {
  console.log(
    `instrumentation: CPU µs a message, publish + consume, ${pairs} rounds of ${events} messages of ${BYTES} B in each variant`,
  )
  console.log(`  ${machine()}`)
  const folder = await mkdtemp(join(tmpdir(), 'throughline-bench-'))
  const brokers = await startBrokers({
    kafka: true,
    mosquitto: true,
    rabbitmq: true,
    dir: join(folder, 'brokers'),
  })
  try {
    await using sink = startChild(join(import.meta.dirname, 'discard-sink.ts'), [])
    const sinkUrl = await sink.line(/^http:/)
    const rows: string[][] = []
    for (const client of transports) {
      const variants = ['bare', ...BY_HAND, ...(OF_CONTRIB.has(client) ? CONTRIB : []), ...OURS]
      await using started = new AsyncDisposableStack()
      const measured = new Map<string, Measured>()
      for (const variant of variants) {
        const name = `bench-${client}-${variant.replaceAll(' ', '-')}`
        if (client.includes('kafka')) await createTopics(brokers.kafka?.bootstrap ?? '', [{ name }])
        const place = {
          kafkaBrokers: brokers.kafka?.bootstrap ?? '',
          mqttUrl: brokers.mqtt?.url ?? '',
          amqpUrl: brokers.amqp?.url ?? '',
          name,
        }
        const script = join(import.meta.dirname, 'instrumentation/measured.ts')
        measured.set(variant, started.use(await startMeasured(script, [client, variant, sinkUrl], place)))
      }
      rows.push([client, ...row(await measure(measured, events, pairs))])
      console.log(`  ${rows.at(-1)?.join('  ')}`)
    }
    console.log(table([HEAD, ...rows]))
    console.log(GOALS)
  } finally {
    await brokers.stop()
    await rm(folder, { recursive: true, force: true })
  }
}

/** CPU time a message by variant, one figure a round. */
type Figures = ReadonlyMap<string, readonly number[]>

async function measure(
  measured: ReadonlyMap<string, Measured>,
  count: number,
  rounds: number,
): Promise<Figures> {
  const figures = new Map<string, number[]>()
  for (const each of measured.values()) await each.carry({ count: WARM_UP, bytes: BYTES })
  for (let round = 0; round < rounds; round++) {
    // Every other round backwards, so that what the machine does meanwhile falls on all alike.
    const order = round % 2 === 0 ? [...measured] : [...measured].reverse()
    for (const [variant, each] of order) {
      const { cpuMicros } = await each.carry({ count, bytes: BYTES })
      figures.set(variant, [...(figures.get(variant) ?? []), cpuMicros])
    }
  }
  return figures
}

const HEAD = [
  '',
  'bare',
  'by hand unsampled',
  'by hand sampled',
  'contrib unsampled',
  'contrib sampled',
  'ours unsampled',
  'ours sampled',
  'ours / contrib unsampled',
  'sampled',
]
const GOALS = `  bare: median (least to greatest); the others: added to bare, by pairs
  to reach: 0.25 × of what contrib adds unsampled, 0.6 × sampled; * is over it`

function row(figures: Figures): string[] {
  const bare = figures.get('bare') ?? []
  const added = (variant: string) =>
    figures.get(variant)?.map((value, index) => value - (bare[index] ?? Number.NaN)) ?? []
  const ratio = (sampling: string, limit: number) => {
    const contrib = added(`contrib ${sampling}`)
    const ratios = added(`ours ${sampling}`).map((value, index) => value / (contrib[index] ?? Number.NaN))
    return contrib.length === 0 ? '' : `${spread(ratios, 2)}${median(ratios) > limit ? ' *' : '  '}`
  }
  return [
    spread(bare),
    ...[...BY_HAND, ...CONTRIB, ...OURS].map((variant) =>
      figures.has(variant) ? spread(added(variant)) : '',
    ),
    ratio('unsampled', 0.25),
    ratio('sampled', 0.6),
  ]
}

function spread(values: readonly number[], digits = 1): string {
  const text = (value: number) => value.toFixed(digits)
  return `${text(median(values))} (${text(Math.min(...values))} to ${text(Math.max(...values))})`
}
