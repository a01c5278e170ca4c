import { dirname, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { addressOf } from './brokers/instance.ts'
import { runs } from './brokers/process.ts'
import { controlBroker, runFolder, startBrokers, startFolder, stopFolder } from './brokers/set.ts'
import { BrokerError, type BrokerName, brokerNames, readState, stateFile } from './brokers/state.ts'

const help = `Usage: npm run brokers -- <command> [options]

  start [kafka|mosquitto]     start both or one, and leave them running
  stop [kafka|mosquitto]      stop both or one by SIGTERM
  restart [kafka|mosquitto]   stop and start again on the same ports, with the same data
  kill [kafka|mosquitto]      stop by SIGKILL
  status                      say what runs; exit code 1 where something does not
  run [kafka|mosquitto]       start both or one, say where, and stop them when this command ends, however it ends;
                              one that KAFKA_BROKERS or MQTT_URL names is used instead of being started
  topics NAME[:PARTITIONS]…   create Kafka topics that do not exist yet

  --dir FOLDER   their data, logs and state (default: ${runFolder('dev')};
                 run: a new one; in tests: that of THROUGHLINE_BROKERS_STATE)
  --fresh        start: forget the data that is there
  --keep         run: keep the data, and use what an earlier run kept
  --remove       stop: forget the data
  --json         print one line of JSON: {"kafka":"host:port","mqtt":"mqtt://…","state":"file"}

Their ports are free ones, kept over restarts. To use them:
  eval "$(npm run --silent brokers -- start)"     sets KAFKA_BROKERS and MQTT_URL
`

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    dir: { type: 'string' },
    fresh: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
    remove: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
const [command = 'help', ...operands] = positionals
const given = process.env.THROUGHLINE_BROKERS_STATE
const dir = resolve(
  values.dir ?? (given ? dirname(given) : runFolder(command === 'run' ? `run-${process.pid}` : 'dev')),
)

try {
  process.exitCode = values.help ? say(help) : await main()
} catch (error) {
  if (!(error instanceof BrokerError)) throw error
  console.error(error.message)
  process.exitCode = 1
}

async function main(): Promise<number> {
  switch (command) {
    case 'start':
      if (values.fresh) await stopFolder(dir, true)
      await startFolder(dir, named())
      return addresses()
    case 'stop':
      if (operands.length === 0) await stopFolder(dir, values.remove)
      else await Promise.all(named().map((name) => controlBroker(dir, name).stop()))
      return 0
    case 'restart':
    case 'kill':
      for (const name of named()) await controlBroker(dir, name)[command]()
      return command === 'restart' ? addresses() : 0
    case 'status':
      return status()
    case 'run':
      return runUntilEnded()
    case 'topics':
      return topics()
    case 'help':
      return say(help)
    default:
      console.error(`unknown command "${command}"\n\n${help}`)
      return 2
  }
}

function named(): BrokerName[] {
  const unknown = operands.find((operand) => !brokerNames.some((name) => name === operand))
  if (unknown !== undefined)
    throw new BrokerError(`there is no broker "${unknown}", only ${brokerNames.join(', ')}`)
  return brokerNames.filter((name) => operands.length === 0 || operands.includes(name))
}

function addresses(): number {
  const { kafka, mosquitto } = readState(dir)?.brokers ?? {}
  const bootstrap = kafka && addressOf('kafka', kafka)
  const url = mosquitto && addressOf('mosquitto', mosquitto)
  return print(bootstrap, url)
}

function print(bootstrap: string | undefined, url: string | undefined): number {
  if (values.json) return say(`${JSON.stringify({ kafka: bootstrap, mqtt: url, state: stateFile(dir) })}\n`)
  if (bootstrap) console.log(`export KAFKA_BROKERS=${bootstrap}`)
  if (url) console.log(`export MQTT_URL=${url}`)
  return 0
}

function status(): number {
  const state = readState(dir)?.brokers ?? {}
  const lines = brokerNames.map((name) => {
    const broker = state[name]
    const running = broker?.process && runs(broker.process) ? broker.process : undefined
    const text =
      running && broker ? `runs at ${addressOf(name, broker)}, process ${running.pid}` : 'does not run'
    return { running, text: `${name.padEnd(10)} ${text}` }
  })
  console.log([...lines.map((line) => line.text), `in ${dir}`].join('\n'))
  return lines.every((line) => line.running) ? 0 : 1
}

async function runUntilEnded(): Promise<number> {
  const ended = new Promise((done) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, done)
  })
  const names = named()
  const wanted = { kafka: names.includes('kafka'), mosquitto: names.includes('mosquitto') }
  const brokers = await startBrokers({ ...wanted, dir, keepData: values.keep })
  print(brokers.kafka?.bootstrap, brokers.mqtt?.url)
  const alive = setInterval(() => {}, 1 << 30)
  await ended
  clearInterval(alive)
  await brokers.stop()
  return 0
}

async function topics(): Promise<number> {
  const kafka = readState(dir)?.brokers.kafka
  const bootstrap = process.env.KAFKA_BROKERS ?? (kafka && addressOf('kafka', kafka))
  if (!bootstrap)
    throw new BrokerError(`no Kafka in ${dir}, and KAFKA_BROKERS is not set: npm run brokers -- start`)
  const specs = operands.map((operand) => {
    const [name = '', partitions = '1'] = operand.split(':')
    return { name, partitions: Number(partitions) }
  })
  // Loaded here alone: the driver takes longer to load than the other commands take to run.
  const { createTopics } = await import('./brokers/topics.ts')
  await createTopics(bootstrap, specs)
  return 0
}

function say(text: string): number {
  process.stdout.write(text)
  return 0
}
