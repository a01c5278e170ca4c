import { memoryTransport } from '@throughline/testkit'
import { conformance } from '@throughline/testkit/conformance'

conformance({
  name: 'the in-memory transport',
  features: memoryTransport().features,
  async setUp() {
    const transport = memoryTransport()
    let places = 0
    return {
      async place() {
        const destination = `place-${++places}`
        return {
          transport,
          publisher: ({ timeoutMs }) => ({ destination, timeoutMs }),
          subscriber: ({ window }) => ({ destinations: [destination], group: destination, window }),
        }
      },
      network: {
        cut: () => transport.disconnect(),
        refuse: () => transport.refuse(),
        stall: () => transport.stall(),
        restore: () => transport.restore(),
      },
      async restart() {
        transport.refuse()
        await new Promise((resolve) => setImmediate(resolve))
        transport.restore()
      },
      async [Symbol.asyncDispose]() {},
    }
  },
})
