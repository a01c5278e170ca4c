import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Brokers, startBrokers } from '../scripts/brokers/set.ts'
import { createTopics } from '../scripts/brokers/topics.ts'
import { startChild } from './child.ts'
import { machine, median, table } from './figures.ts'
import { type Measured, startMeasured, type Variant, variants } from './overhead/variant.ts'
import type { BenchOptions } from './run.ts'

/** `loopback` is core alone, over a transport that costs nothing. */
const TRANSPORTS = ['loopback', 'http', 'kafka', 'mqtt', 'rabbitmq']
const SIZES = [256, 4096]
const WARM_UP = 20_000

/** CPU time a message of each variant, one figure a round. */
type Figures = Readonly<Record<Variant, readonly number[]>>

/**
 * CPU time that publishing and consuming a message takes, over each transport: its bare client with the same bytes and
 * headers, ours without an SDK, unsampled, sampled and exported, and the SDK by itself. Each variant is a process of its
 * own that carries messages in its turn and measures itself.
 */
export async function overhead({ pairs, events, transports = TRANSPORTS }: BenchOptions): Promise<void> {
  console.log(
    `overhead: CPU µs a message, publish + consume, ${pairs} rounds of ${events} messages in each variant`,
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
    for (const transport of transports) {
      await using measured = await startAll(transport, brokers, sinkUrl)
      for (const bytes of SIZES) {
        const figures = await measure(measured, { count: events, bytes }, pairs)
        rows.push([`${transport} ${bytes === 256 ? '256 B' : '4 KiB'}`, ...row(figures)])
        console.log(`  ${rows.at(-1)?.join('  ')}`)
      }
    }
    console.log(table([HEAD, ...rows]))
    console.log(GOALS)
  } finally {
    await brokers.stop()
    await rm(folder, { recursive: true, force: true })
  }
}

interface Processes extends AsyncDisposable {
  readonly of: Readonly<Record<Variant, Measured>>
}

async function startAll(transport: string, brokers: Brokers, sinkUrl: string): Promise<Processes> {
  const kafkaBrokers = brokers.kafka?.bootstrap ?? ''
  const started: Measured[] = []
  const disposed = () => Promise.all(started.map((each) => each[Symbol.asyncDispose]()))
  try {
    for (const variant of variants) {
      const name = `bench-${transport}-${variant}`
      if (transport === 'kafka') await createTopics(kafkaBrokers, [{ name }])
      const place = {
        kafkaBrokers,
        mqttUrl: brokers.mqtt?.url ?? '',
        amqpUrl: brokers.amqp?.url ?? '',
        name,
      }
      const script = join(import.meta.dirname, 'overhead/measured.ts')
      started.push(await startMeasured(script, [transport, variant, sinkUrl], place))
    }
  } catch (error) {
    await disposed()
    throw error
  }
  const [bare, plain, unsampled, sampled, floor] = started as [
    Measured,
    Measured,
    Measured,
    Measured,
    Measured,
  ]
  return {
    of: { bare, plain, unsampled, sampled, floor },
    [Symbol.asyncDispose]: async () => void (await disposed()),
  }
}

async function measure(
  { of }: Processes,
  order: { count: number; bytes: number },
  rounds: number,
): Promise<Figures> {
  const figures: Record<Variant, number[]> = { bare: [], plain: [], unsampled: [], sampled: [], floor: [] }
  // Optimised code takes more than one run to settle.
  for (const variant of variants) await of[variant].carry({ ...order, count: WARM_UP })
  for (let round = 0; round < rounds; round++) {
    // Every other round backwards, so that what the machine does meanwhile falls on all alike.
    for (const variant of round % 2 === 0 ? variants : variants.toReversed()) {
      figures[variant].push((await of[variant].carry(order)).cpuMicros)
    }
  }
  return figures
}

const HEAD = ['', 'bare', 'no SDK', 'unsampled', 'sampled', 'SDK floor', 'sampled / floor']
const GOALS = `  bare, SDK floor: median (least to greatest); no SDK, unsampled, sampled: added to bare, by pairs
  to reach: no SDK 3 µs or 10 % of bare, unsampled 8 µs, sampled 1.2 × the SDK's floor; * is over it`

function row({ bare, plain, unsampled, sampled, floor }: Figures): string[] {
  const added = (values: readonly number[]) =>
    values.map((value, index) => value - (bare[index] ?? Number.NaN))
  const ratios = added(sampled).map((value, index) => value / (floor[index] ?? Number.NaN))
  return [
    spread(bare),
    goal(added(plain), Math.max(3, median(bare) / 10)),
    goal(added(unsampled), 8),
    spread(added(sampled)),
    spread(floor),
    goal(ratios, 1.2, 2),
  ]
}

function goal(values: readonly number[], limit: number, digits = 1): string {
  return `${spread(values, digits)}${median(values) > limit ? ' *' : '  '}`
}

function spread(values: readonly number[], digits = 1): string {
  const text = (value: number) => value.toFixed(digits)
  return `${text(median(values))} (${text(Math.min(...values))} to ${text(Math.max(...values))})`
}
