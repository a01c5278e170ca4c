import { parseArgs } from 'node:util'
import { instrumentation } from './instrumentation.ts'
import { memory } from './memory.ts'
import { overhead } from './overhead.ts'
import { pipeline } from './pipeline.ts'

export interface BenchOptions {
  /** Pairs to measure. */
  readonly pairs: number
  /** Events in each half of a pair. */
  readonly events: number
  /** Those to measure; all of a benchmark's where it is left out. */
  readonly transports?: readonly string[]
}

interface Bench {
  readonly run: (options: BenchOptions) => Promise<void>
  readonly defaults: BenchOptions
}

/** All benchmarks by name. Each prints pairs that were measured in turn in one run, and what they come to. */
const benches: Readonly<Record<string, Bench>> = {
  pipeline: { run: pipeline, defaults: { pairs: 5, events: 5000 } },
  overhead: { run: overhead, defaults: { pairs: 7, events: 10_000 } },
  instrumentation: { run: instrumentation, defaults: { pairs: 7, events: 10_000 } },
  memory: { run: memory, defaults: { pairs: 1, events: 10_000_000 } },
}

const help = `Usage: npm run bench -- [name …] [--pairs N] [--events N] [--transports a,b]

  ${Object.keys(benches).join(', ')}; all of them where no name is given
  --pairs N          pairs to measure, in turn (pipeline 5, overhead and instrumentation 7)
  --events N         events in each half of a pair (pipeline 5000, overhead and instrumentation 10000), in all (memory 10000000)
  --transports a,b   overhead: loopback, http, kafka, mqtt, rabbitmq; instrumentation: kafkajs, amqplib, mqtt,
                     rabbitmq-client, platformatic-kafka (default all of them)
`

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    pairs: { type: 'string' },
    events: { type: 'string' },
    transports: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
})
const unknown = positionals.filter((name) => !(name in benches))
const isCount = (text: string | undefined) => text === undefined || Number(text) >= 1

if (values.help) process.stdout.write(help)
else if (unknown.length > 0 || !isCount(values.pairs) || !isCount(values.events)) {
  process.stderr.write(`${unknown.length > 0 ? `no benchmark is named ${unknown.join(', ')}\n` : ''}${help}`)
  process.exitCode = 2
} else {
  for (const [name, { run, defaults }] of Object.entries(benches)) {
    if (positionals.length > 0 && !positionals.includes(name)) continue
    const { pairs = defaults.pairs, events = defaults.events, transports } = values
    await run({
      pairs: Number(pairs),
      events: Number(events),
      ...(transports === undefined ? {} : { transports: transports.split(',') }),
    })
  }
}
