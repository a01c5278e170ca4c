import {
  createBinding,
  type Delivery,
  type Message,
  type Publisher,
  type Subscriber,
  type Transport,
} from '@throughline/core'

/**
 * A transport that costs next to nothing: messages are handed over in the process, confirmed at once, and forgotten when
 * they are handed over. What is measured over it is core alone, and memory that grows over it is core's.
 */
export function loopback(): Transport<object, object> {
  let waiting: Delivery[] = []
  let offset = 0n
  let changed = Promise.withResolvers<void>()
  const position = { destination: 'loopback', timestampMs: Date.now() }

  const publisher: Publisher = {
    destination: 'loopback',
    open: async () => {},
    async publish(messages) {
      for (const { body, headers, contentType } of messages) {
        // What a wire would carry, and nothing else of the sender's.
        const message: Message = { body, headers, ...(contentType === undefined ? {} : { contentType }) }
        waiting.push({ message, position: { ...position, offset: offset++ }, attempt: 1 })
      }
      changed.resolve()
      return messages.map(() => ({ ok: true }))
    },
    close: async () => {},
  }

  const subscriber: Subscriber = {
    attributes: { 'messaging.consumer.group.name': 'bench' },
    open: async () => {},
    async *deliveries(signal) {
      signal?.addEventListener('abort', () => changed.resolve(), { once: true })
      while (!signal?.aborted) {
        const deliveries = waiting
        waiting = []
        if (deliveries.length > 0) yield deliveries
        else {
          await changed.promise
          changed = Promise.withResolvers()
        }
      }
    },
    settle: async () => {},
    close: async () => changed.resolve(),
  }

  return {
    system: 'loopback',
    sendOperation: 'send',
    features: {
      acknowledges: true,
      ordering: 'none',
      headers: 'bytes',
      sharing: 'none',
      replay: false,
      answersSender: false,
    },
    binding: createBinding({
      specification: 'CloudEvents in the process',
      headerName: (attribute) => `ce_${attribute}`,
      attributeName: (header) => (header.startsWith('ce_') ? header.slice(3) : null),
      encodeValue: (text) => text,
      decodeValue: (text) => text,
      absentBody: null,
    }),
    attributes: {
      connection: { 'server.address': 'localhost', 'server.port': 1 },
      sent: () => ({}),
      confirmed: () => ({}),
      delivered: () => ({}),
    },
    publisher: () => publisher,
    subscriber: () => subscriber,
  }
}
