// The measured process: a plain service on one client, bare or instrumented. It carries messages as often as its parent
// asks, and answers with the CPU time that took. measured.ts <client> <variant> <receiver of spans> <place>
import { registerInstrumentations } from '@opentelemetry/instrumentation'
import { AmqplibInstrumentation } from '@opentelemetry/instrumentation-amqplib'
import { KafkaJsInstrumentation } from '@opentelemetry/instrumentation-kafkajs'
import { createInstrumentations } from '@throughline/instrumentation'
import { createCourier } from '../overhead/link.ts'
import { startSdk } from '../overhead/sdk.ts'
import type { Answer, Order } from '../overhead/variant.ts'
import { clientsWith } from './clients.ts'
import { tracedByHand, untraced } from './tracing.ts'

const [client = '', variant = '', sink = '', place = '{}'] = process.argv.slice(2)
const [by, sampling] = variant.split(' ')

const isSampled = sampling === 'sampled'
const sdk = by === 'bare' ? undefined : startSdk(sink, isSampled)
if (by === 'contrib') {
  registerInstrumentations({ instrumentations: [new KafkaJsInstrumentation(), new AmqplibInstrumentation()] })
}
if (by === 'ours') registerInstrumentations({ instrumentations: createInstrumentations() })

const connect = clientsWith(by === 'hand' ? tracedByHand(client) : untraced)[client]
if (connect === undefined) throw new Error(`there is no client ${client}`)
const courier = await createCourier(connect, JSON.parse(place))

async function measure({ count, bytes }: Order): Promise<Answer> {
  const body = new Uint8Array(bytes).fill(120)
  const expected = isSampled ? 2 * count : 0
  const spansBefore = (await sdk?.flush()) ?? 0
  const startedAt = performance.now()
  const before = process.cpuUsage()
  await courier.carry(count, body)
  const spans = ((await sdk?.flush(spansBefore + expected)) ?? 0) - spansBefore
  const { user, system } = process.cpuUsage(before)
  // What is measured has to have been done.
  if (isSampled ? spans < expected : spans !== 0) {
    throw new Error(`${spans} spans exported for ${count} messages in ${variant}`)
  }
  return {
    cpuMicros: (user + system) / count,
    elapsedMs: performance.now() - startedAt,
    rssBytes: process.memoryUsage.rss(),
  }
}

process.on('message', (order: Order) => void measure(order).then((answer) => process.send?.(answer)))
process.on('disconnect', () => process.exit())
console.log('ready')
