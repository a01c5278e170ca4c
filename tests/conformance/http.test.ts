import { httpTransport } from '@throughline/http'
import { tcpProxy } from '@throughline/testkit'
import { conformance } from '@throughline/testkit/conformance'
import { freePorts } from '../../scripts/brokers/ports.ts'

const { features } = httpTransport()

conformance({
  name: 'HTTP',
  features,
  without: { restart: 'it has no broker between' },
  async setUp() {
    const [port = 0] = await freePorts(1)
    const listen = `127.0.0.1:${port}`
    const network = await tcpProxy({ target: listen })
    // One server for all places, each with a path of its own.
    const transport = httpTransport({ listen })
    let places = 0
    return {
      async place() {
        const path = `/place-${++places}`
        return {
          transport,
          publisher: ({ timeoutMs, inFlight }) => ({
            url: `http://${network.address}${path}`,
            timeoutMs,
            // What becomes of one request is asked here; the publisher's own trying again has its tests.
            retry: false,
            maxConnections: inFlight,
          }),
          subscriber: ({ window }) => ({ path, window }),
        }
      },
      network,
      [Symbol.asyncDispose]: () => network.close(),
    }
  },
})
