import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { test } from 'node:test'
import { UnavailableError } from '@throughline/core'
import { tcpProxy } from '@throughline/testkit'
import { connectionOf } from '../src/options.ts'
import { openSession } from '../src/session.ts'
import { sessionOptions } from '../src/subscriber.ts'

for (const given of [{}, { group: 'g' }, { group: 'g', groupProtocol: 'consumer' }] as const) {
  test(`a session that is over leaves nothing on the subscriber that made it: ${JSON.stringify(given)}`, async () => {
    await using nobody = await tcpProxy({ target: '127.0.0.1:1' })
    const connection = connectionOf({ brokers: nobody.address, connectTimeoutMs: 100 })
    const options = sessionOptions({ topics: ['orders'], lostAfterMs: 100, ...given })
    const identity = { memberId: null, offsets: new Map<string, bigint>() }
    const stop = new AbortController()
    await assert.rejects(openSession(connection, options, identity, stop.signal), UnavailableError)
    assert.deepEqual(getEventListeners(stop.signal, 'abort'), [])
  })
}
