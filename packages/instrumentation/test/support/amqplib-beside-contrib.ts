// A process of its own: which instrumentation comes first is settled when amqplib is loaded. Prints what it saw.
import { createRequire } from 'node:module'
import { AmqplibInstrumentation as Contrib } from '@opentelemetry/instrumentation-amqplib'
import { AmqplibInstrumentation } from '@throughline/instrumentation'
import { eventually, recordSpans } from '@throughline/testkit'

const spans = recordSpans()
const order = [() => new AmqplibInstrumentation(), () => new Contrib()]
if (process.argv[2] === 'contrib first') order.reverse()
for (const make of order) make()

const amqp: typeof import('amqplib') = createRequire(import.meta.url)('amqplib')
const warnings: string[] = []
process.on('warning', ({ message, name }) => {
  if (name === 'ThroughlineWarning') warnings.push(message)
})

const connection = await amqp.connect(process.env.AMQP_URL ?? '')
const channel = await connection.createConfirmChannel()
const { queue } = await channel.assertQueue('', { exclusive: true })
const traceparents: unknown[] = []
await channel.consume(queue, (message) => {
  if (message === null) return
  traceparents.push(message.properties.headers?.traceparent)
  channel.ack(message)
})
for (const body of ['1', '2']) channel.sendToQueue(queue, Buffer.from(body))
await channel.waitForConfirms()
await eventually(() => {
  if (spans.finished().length < 4) throw new Error('spans are missing')
})
await connection.close()
console.log(
  JSON.stringify({
    spans: spans
      .finished()
      .map((span) => [span.instrumentationScope.name, span.name.replace(queue, 'queue')]),
    traceparents: traceparents.map((each) => typeof each),
    warnings: warnings.length,
  }),
)
