import type { Delivery, Message, Publisher, Subscriber } from '@throughline/core'
import { memoryTransport } from '@throughline/testkit'
import { conformance } from '@throughline/testkit/conformance'

/** What can be wrong with a driver, put round a sound one. Run as a process by conformance.test.ts. */
const faults: Readonly<Record<string, Fault>> = {
  'no fault': {},
  'cuts bodies short': {
    publisher: (driver) =>
      published(driver, (message) => ({ ...message, body: message.body?.subarray(0, 100) ?? null })),
  },
  'drops repeated headers': {
    publisher: (driver) =>
      published(driver, (message) => ({ ...message, headers: [...new Map(message.headers).entries()] })),
  },
  'sends the last message first': {
    publisher: (driver) => ({
      ...driver,
      publish: async (messages) => [...(await driver.publish([...messages].reverse()))].reverse(),
    }),
  },
  'confirms what was not sent': {
    publisher: (driver) => ({
      ...driver,
      publish: async (messages) => (await driver.publish(messages)).map(() => ({ ok: true })),
    }),
  },
  'accepts on arrival': {
    subscriber: (driver) =>
      onArrival(driver, (deliveries) => driver.settle(deliveries, { outcome: 'accept' })),
  },
  'gives back what is rejected': {
    subscriber: (driver) => ({
      ...driver,
      settle: (deliveries, outcome) =>
        driver.settle(
          deliveries,
          outcome.outcome === 'reject' ? { outcome: 'release', delayMs: 20 } : outcome,
        ),
    }),
  },
  'takes what is released for done': {
    subscriber: (driver) => ({
      ...driver,
      settle: (deliveries) => driver.settle(deliveries, { outcome: 'accept' }),
    }),
  },
  'reads past the window': { windowFactor: 3 },
}

interface Fault {
  readonly publisher?: (driver: Publisher) => Publisher
  readonly subscriber?: (driver: Subscriber) => Subscriber
  readonly windowFactor?: number
}

function published(driver: Publisher, change: (message: Message) => Message): Publisher {
  return { ...driver, publish: (messages) => driver.publish(messages.map(change)) }
}

function onArrival(driver: Subscriber, act: (deliveries: readonly Delivery[]) => Promise<void>): Subscriber {
  return {
    ...driver,
    async *deliveries(signal) {
      for await (const deliveries of driver.deliveries(signal)) {
        await act(deliveries)
        yield deliveries
      }
    },
  }
}

for (const [name, fault] of Object.entries(faults)) run(name, fault)

function run(name: string, { publisher = same, subscriber = same, windowFactor = 1 }: Fault): void {
  conformance({
    name,
    features: memoryTransport().features,
    async setUp() {
      const sound = memoryTransport()
      const transport = {
        ...sound,
        publisher: (options: Parameters<typeof sound.publisher>[0]) => publisher(sound.publisher(options)),
        subscriber: (options: Parameters<typeof sound.subscriber>[0]) =>
          subscriber(sound.subscriber(options)),
      }
      let places = 0
      return {
        async place() {
          const destination = `place-${++places}`
          return {
            transport,
            publisher: ({ timeoutMs }) => ({ destination, timeoutMs }),
            subscriber: ({ window }) => ({
              destinations: [destination],
              group: destination,
              window: window * windowFactor,
            }),
          }
        },
        network: {
          cut: () => sound.disconnect(),
          refuse: () => sound.refuse(),
          stall: () => sound.stall(),
          restore: () => sound.restore(),
        },
        async [Symbol.asyncDispose]() {},
      }
    },
    without: { restart: 'its broker is this process' },
    messages: 1000,
    patienceMs: 3000,
  })
}

function same<T>(driver: T): T {
  return driver
}
