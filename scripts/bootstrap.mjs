import { chromium, clients } from './bootstrap/clients.mjs'
import { buildsConfluent, confluent } from './bootstrap/confluent.mjs'
import { go, python, withoutInterop } from './bootstrap/foreign.mjs'
import { java, maven } from './bootstrap/java.mjs'
import { kafka } from './bootstrap/kafka.mjs'
import { mosquitto } from './bootstrap/mosquitto.mjs'
import { packages } from './bootstrap/packages.mjs'
import { rabbitmq } from './bootstrap/rabbitmq.mjs'
import { provide } from './bootstrap/setup.mjs'

const things = { packages, java, maven, kafka, mosquitto, rabbitmq, clients, confluent, chromium, python, go }

/** The brokers of the demo. Those that the environment names need not be installed. */
const brokers = () => [
  ...(process.env.KAFKA_BROKERS ? [] : ['java', 'kafka']),
  ...(process.env.MQTT_URL ? [] : ['mosquitto']),
]

const rabbitmqToo = () => (process.env.AMQP_URL ? [] : ['rabbitmq'])

/**
 * What a task needs.
 *
 * @param {string} task
 * @param {readonly string[]} args
 * @returns {string[]}
 */
export function needsOf(task, args) {
  const withBrokers = ['packages', ...brokers()]
  if (task === 'demo') return withBrokers
  if (task === 'bench') return [...withBrokers, ...rabbitmqToo()]
  if (task === 'screenshot') return [...withBrokers, 'chromium']
  if (task === 'test' && !args.includes('--quick')) {
    const foreign = withoutInterop() ? [] : ['python', 'go']
    const built = buildsConfluent() ? ['confluent'] : []
    return [...withBrokers, ...rabbitmqToo(), 'clients', ...built, 'chromium', ...foreign]
  }
  if (task === 'brokers' && ['start', 'restart', 'run'].some((command) => args.includes(command))) {
    const named = ['kafka', 'mosquitto', 'rabbitmq'].filter((name) => args.includes(name))
    const started = named.length === 0 ? ['kafka', 'mosquitto', 'rabbitmq'] : named
    return ['packages', ...(started.includes('kafka') ? ['java'] : []), ...started]
  }
  return ['packages']
}

/**
 * Sets up what a task needs: at once where all is there. Each step can be broken off and run again.
 *
 * @param {string} task
 * @param {readonly string[]} args
 */
export function setUp(task, args) {
  // To stderr: a task's own output may be read by a program.
  return provide(things, needsOf(task, args), (line) => process.stderr.write(`${line}\n`))
}
