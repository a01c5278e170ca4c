const { Kafka, logLevel } = require('kafkajs')

const [how] = process.argv.slice(2)
const kafka = new Kafka({ brokers: ['127.0.0.1:9'], logLevel: logLevel.NOTHING })
const send = (/** @type {string} */ topic) =>
  kafka
    .producer()
    .send({ topic, messages: [{ value: 'one' }] })
    .catch(() => undefined)

/** @type {Record<string, () => void>} */
const ends = {
  code() {
    process.exitCode = 3
  },
  error() {
    throw new Error('the application failed')
  },
  /** Nobody handles the signal. */
  signal() {
    setInterval(() => undefined, 1000)
    console.log('ready')
  },
  /** The application handles the signal, and sends once more before it ends. */
  handled() {
    const timer = setInterval(() => undefined, 1000)
    process.once('SIGTERM', async () => {
      await send('last')
      console.log('handled')
      process.exitCode = 4
      clearInterval(timer)
    })
    console.log('ready')
  },
  /** As libraries do that end the process by the signal where nobody else handles it. */
  counted() {
    const listener = () => {
      if (process.listenerCount('SIGTERM') > 1) return
      console.log('alone')
      process.exit(5)
    }
    process.on('SIGTERM', listener)
    setInterval(() => undefined, 1000)
    console.log('ready')
  },
}

send('orders').then(() => ends[how ?? '']?.())
