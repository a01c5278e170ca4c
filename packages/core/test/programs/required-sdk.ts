// A service that imports the library, publishes, and only then requires its SDK: the API's other copy.
import { createRequire } from 'node:module'
import { createBroker } from '@throughline/core'
import { memoryTransport } from '@throughline/testkit'

const load = createRequire(import.meta.url)
const publisher = createBroker(memoryTransport()).publisher({ destination: 'orders' })
const event = { type: 't', source: '/s' }
await publisher.publish(event)

const { trace } = load('@opentelemetry/api')
const { TracerProvider } = load('@opentelemetry/sdk-trace')

const ended: string[] = []
trace.setGlobalTracerProvider(
  new TracerProvider({
    spanProcessors: [
      {
        onStart() {},
        onEnd: ({ name }: { name: string }) => void ended.push(name),
        forceFlush: async () => {},
        shutdown: async () => {},
      },
    ],
  }),
)
await publisher.publish(event)
console.log(JSON.stringify(ended))
