import { parseArgs } from 'node:util'
import { pipeline } from './pipeline.ts'

/** All benchmarks by name. Each prints pairs that were measured in turn in one run, and their ratio. */
const benches: Readonly<Record<string, (options: BenchOptions) => Promise<void>>> = { pipeline }

export interface BenchOptions {
  /** Pairs to measure. */
  readonly pairs: number
  /** Events in each half of a pair. */
  readonly events: number
}

const help = `Usage: npm run bench -- [name …] [--pairs N] [--events N]

  ${Object.keys(benches).join(', ')}; all of them where no name is given
  --pairs N    pairs to measure, in turn (default 5)
  --events N   events in each half of a pair (default 5000)
`

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    pairs: { type: 'string', default: '5' },
    events: { type: 'string', default: '5000' },
    help: { type: 'boolean', default: false },
  },
})
const options: BenchOptions = { pairs: Number(values.pairs), events: Number(values.events) }
const unknown = positionals.filter((name) => !(name in benches))

if (values.help) process.stdout.write(help)
else if (unknown.length > 0 || !(options.pairs >= 1) || !(options.events >= 1)) {
  process.stderr.write(`${unknown.length > 0 ? `no benchmark is named ${unknown.join(', ')}\n` : ''}${help}`)
  process.exitCode = 2
} else {
  for (const [name, bench] of Object.entries(benches)) {
    if (positionals.length === 0 || positionals.includes(name)) await bench(options)
  }
}
