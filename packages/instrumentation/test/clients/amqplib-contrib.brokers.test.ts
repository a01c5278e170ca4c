import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const program = fileURLToPath(new URL('../support/amqplib-beside-contrib.ts', import.meta.url))
const CONTRIB = '@opentelemetry/instrumentation-amqplib'

describe('amqplib: beside OpenTelemetry’s own instrumentation', () => {
  for (const order of ['contrib first', 'contrib second']) {
    test(`${order}: ours steps back with one warning, each message has one span and one context`, async () => {
      const args = ['--conditions=@throughline/source', program, order]
      const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 60_000 })
      assert.deepEqual(JSON.parse(stdout), {
        spans: [
          [CONTRIB, 'publish <default>'],
          [CONTRIB, 'publish <default>'],
          [CONTRIB, 'queue process'],
          [CONTRIB, 'queue process'],
        ],
        traceparents: ['string', 'string'],
        warnings: 1,
      })
    })
  }
})
