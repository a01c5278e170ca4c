import assert from 'node:assert/strict'
import { describe } from 'node:test'
import { http } from '@throughline/http'
import { testDirections, type Wire } from './support/directions.ts'
import { go, python } from './support/program.ts'

const wire: Wire = {
  transport: 'http',
  async subscribe(handler) {
    const broker = http({ listen: '127.0.0.1:0' })
    await broker.subscribe({ path: '/events' }, handler)
    const address = broker.address()
    assert.ok(address)
    return {
      producerArgs: [`http://127.0.0.1:${address.port}/events`],
      [Symbol.asyncDispose]: () => broker.close(),
    }
  },
  async route(count) {
    return {
      consumerArgs: [String(count)],
      publisher: ({ url = '' }) => http().publisher({ url }),
    }
  },
}

describe('HTTP and Python: requests, http.server, cloudevents', () => testDirections('Python', python, wire))
describe('HTTP and Go: net/http, CloudEvents sdk-go', () => testDirections('Go', go, wire))
