// A process of its own: which instrumentation comes first is settled when MQTT.js is loaded. Prints what it saw.
import { createRequire } from 'node:module'
import { context, propagation, type Span, SpanKind, trace } from '@opentelemetry/api'
import { InstrumentationBase, InstrumentationNodeModuleDefinition } from '@opentelemetry/instrumentation'
import { MqttInstrumentation } from '@throughline/instrumentation'
import { eventually, recordSpans } from '@throughline/testkit'

type Mqtt = typeof import('mqtt')
// biome-ignore lint/suspicious/noExplicitAny: wraps whatever there is, as instrumentations do
type Method = (this: any, ...args: any[]) => any

/** As vendors wrap MQTT.js: `publish`, and the listeners that `on` is given. */
class Another extends InstrumentationBase {
  constructor() {
    super('another', '1.0.0', {})
  }

  protected override init() {
    return new InstrumentationNodeModuleDefinition('mqtt', ['*'], (mqtt: Mqtt) => {
      const { prototype } = mqtt.MqttClient
      const run = <Result>(span: Span, body: () => Result): Result => {
        try {
          return context.with(trace.setSpan(context.active(), span), body)
        } finally {
          span.end()
        }
      }
      const { tracer } = this
      const publishing = (publish: Method): Method =>
        function (topic, payload, options, ...rest) {
          return run(tracer.startSpan(`${topic} publish`, { kind: SpanKind.PRODUCER }), () => {
            const userProperties = { ...options?.properties?.userProperties }
            propagation.inject(context.active(), userProperties)
            return publish.call(this, topic, payload, { ...options, properties: { userProperties } }, ...rest)
          })
        }
      const listening = (on: Method): Method =>
        function (event, listener) {
          if (event !== 'message') return on.call(this, event, listener)
          return on.call(this, event, (topic: string, ...given: unknown[]) =>
            run(tracer.startSpan(`${topic} process`, { kind: SpanKind.CONSUMER }), () =>
              listener(topic, ...given),
            ),
          )
        }
      this._wrap(prototype, 'publish', publishing as never)
      this._wrap(prototype, 'on', listening as never)
      return mqtt
    })
  }
}

const spans = recordSpans()
const order = [() => new MqttInstrumentation(), () => new Another()]
if (process.argv[2] === 'first') order.reverse()
for (const make of order) make()

const { connectAsync }: Mqtt = createRequire(import.meta.url)('mqtt')
const warnings: string[] = []
process.on('warning', ({ message, name }) => {
  if (name === 'ThroughlineWarning') warnings.push(message)
})

const client = await connectAsync(process.env.MQTT_URL ?? '', { protocolVersion: 5 })
const topic = `mqtt-${crypto.randomUUID()}`
await client.subscribeAsync(topic)
const carried: unknown[] = []
client.on('message', (_topic, _payload, { properties }) => {
  carried.push(Object.entries(properties?.userProperties ?? {}).map(([name, each]) => [name, typeof each]))
})
for (const payload of ['1', '2']) await client.publishAsync(topic, payload, { qos: 1 })
await eventually(() => {
  if (spans.finished().length < 4) throw new Error('spans are missing')
})
await client.endAsync()
console.log(
  JSON.stringify({
    spans: spans
      .finished()
      .map((span) => `${span.instrumentationScope.name}: ${span.name.replace(topic, 'topic')}`),
    carried,
    warnings: warnings.length,
  }),
)
