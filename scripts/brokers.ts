import { dirname, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { addressOf } from './brokers/instance.ts'
import { runs } from './brokers/process.ts'
import { controlBroker, runFolder, startBrokers, startFolder, stopFolder } from './brokers/set.ts'
import { BrokerError, type BrokerName, brokerNames, readState, stateFile } from './brokers/state.ts'

const help = `Usage: npm run brokers -- <command> [options]

  start [NAME…]               start all or those named, and leave them running
  stop [NAME…]                stop all or those named by SIGTERM
  restart [NAME…]             stop and start again on the same ports, with the same data
  kill [NAME…]                stop by SIGKILL
  status                      say what runs; exit code 1 where something does not
  run [NAME…]                 start all or those named, say where, and stop them when this command ends, however it
                              ends; one that KAFKA_BROKERS, MQTT_URL or AMQP_URL names is used instead of being started
  topics NAME[:PARTITIONS]…   create Kafka topics that do not exist yet

  NAME is kafka, mosquitto or rabbitmq.

  --dir FOLDER   their data, logs and state (default: ${runFolder('dev')};
                 run: a new one; in tests: that of THROUGHLINE_BROKERS_STATE)
  --fresh        start: forget the data that is there
  --keep         run: keep the data, and use what an earlier run kept
  --remove       stop: forget the data
  --json         print one line of JSON: {"kafka":"host:port","mqtt":"mqtt://…","amqp":"amqp://…","state":"file"}

Their ports are free ones, kept over restarts. To use them:
  eval "$(npm run --silent brokers -- start)"     sets KAFKA_BROKERS, MQTT_URL and AMQP_URL
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
  const { kafka, mosquitto, rabbitmq } = readState(dir)?.brokers ?? {}
  return print({
    kafka: kafka && addressOf('kafka', kafka),
    mqtt: mosquitto && addressOf('mosquitto', mosquitto),
    amqp: rabbitmq && addressOf('rabbitmq', rabbitmq),
  })
}

function print(addresses: Record<'kafka' | 'mqtt' | 'amqp', string | undefined>): number {
  if (values.json) return say(`${JSON.stringify({ ...addresses, state: stateFile(dir) })}\n`)
  const { kafka, mqtt, amqp } = addresses
  if (kafka) console.log(`export KAFKA_BROKERS=${kafka}`)
  if (mqtt) console.log(`export MQTT_URL=${mqtt}`)
  if (amqp) console.log(`export AMQP_URL=${amqp}`)
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
  const wanted = Object.fromEntries(names.map((name) => [name, true]))
  const brokers = await startBrokers({ ...wanted, dir, keepData: values.keep })
  print({ kafka: brokers.kafka?.bootstrap, mqtt: brokers.mqtt?.url, amqp: brokers.amqp?.url })
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
