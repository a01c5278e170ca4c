import { join } from 'node:path'
import { startChild } from './child.ts'
import { machine, table } from './figures.ts'
import { startMeasured } from './overhead/variant.ts'
import type { BenchOptions } from './run.ts'

const STEPS = 10

/**
 * Memory of a process that publishes and consumes for long, every span sampled and exported: in the process itself, over
 * a transport that keeps nothing, so that what grows is core's or the SDK's. Prints its resident set at every tenth.
 */
export async function memory({ events }: BenchOptions): Promise<void> {
  console.log(
    `memory: ${events} events of 256 B over a loopback in one process, every span sampled and exported`,
  )
  console.log(`  ${machine()}`)
  await using sink = startChild(join(import.meta.dirname, 'discard-sink.ts'), [])
  const place = { kafkaBrokers: '', mqttUrl: '', amqpUrl: '', name: 'memory' }
  const script = join(import.meta.dirname, 'overhead/measured.ts')
  const args = ['loopback', 'sampled', await sink.line(/^http:/)]
  await using measured = await startMeasured(script, args, place)
  const rows = [['events', 'RSS MiB', 'seconds', 'CPU µs/event']]
  let seconds = 0
  for (let step = 1; step <= STEPS; step++) {
    const { rssBytes, elapsedMs, cpuMicros } = await measured.carry({ count: events / STEPS, bytes: 256 })
    seconds += elapsedMs / 1000
    const millions = `${((events / STEPS) * step) / 1e6} M`
    rows.push([millions, (rssBytes / 2 ** 20).toFixed(0), seconds.toFixed(0), cpuMicros.toFixed(1)])
    console.log(`  ${rows.at(-1)?.join('  ')}`)
  }
  console.log(table(rows))
}
