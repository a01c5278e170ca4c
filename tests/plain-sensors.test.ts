import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import type { Explorer, Journey } from '@throughline/explorer'
import { eventually } from '@throughline/testkit'
import type { ServiceName } from '../scripts/demo/options.ts'
import { journeyWith, temporaryExplorer } from './support/journey.ts'
import { createPipeline } from './support/pipeline.ts'
import { shapeOf } from './support/shape.ts'

// examples/sensors twice over the same brokers and routes of the bridge: its services on the library, and those of plain/ on
// fetch, MQTT.js and node:http, which know nothing of Throughline, under `register`.

interface Journeys {
  readonly ofReading: Journey
  /** Of one whose publisher writes no context. */
  readonly ofLegacy: Journey
}

/** One reading of the station and one of the legacy publisher through all services of one version. */
async function runExample(explorer: Explorer, plain: boolean): Promise<Journeys> {
  await using pipeline = await createPipeline({ otlpUrl: explorer.otlpUrl, plain })
  await pipeline.start('echo')
  await pipeline.start('device', [], { MQTT_CLIENT_ID: `sensors-${randomUUID()}` })
  await pipeline.start('forwarder')
  await pipeline.start('webhook')

  async function idFrom(publisher: ServiceName): Promise<string> {
    await pipeline.start(publisher, ['--count', '1', '--print-ids'])
    return eventually(
      () => {
        const [id] = pipeline.printed(publisher)
        assert.ok(id)
        return id
      },
      { timeoutMs: 30_000 },
    )
  }
  return {
    // station → webhook → forwarder → device → echo, a span at each end; the device and the echo service alone.
    ofReading: await journeyWith(explorer, await idFrom('station'), 8),
    ofLegacy: await journeyWith(explorer, await idFrom('legacy'), 3),
  }
}

describe('the sensors example on plain clients', { timeout: 170_000 }, () => {
  let explorer: Explorer & AsyncDisposable
  let library: Journeys
  let plain: Journeys
  before(async () => {
    explorer = await temporaryExplorer()
    library = await runExample(explorer, false)
    plain = await runExample(explorer, true)
  })
  after(() => explorer?.[Symbol.asyncDispose]())

  // Two things differ. The device's template is an option of the library's, and of the instrumentation's in code; under
  // `register` the filter of its subscription names its spans.
  const names = { 'sensors/+/reading': 'sensors/{id}/reading' }
  // And fetch knows of no messages: OpenTelemetry's span of it is a call's.
  const called = (line: string) => line.replace('station CLIENT POST', 'station PRODUCER send /events')

  test('gives a reading a journey of the same shape: HTTP, Kafka, MQTT, HTTP', () => {
    const { spans, ...ofPlain } = shapeOf(plain.ofReading, names)
    assert.deepEqual(spans[0], 'station CLIENT POST')
    assert.deepEqual({ ...ofPlain, spans: spans.map(called) }, shapeOf(library.ofReading))
  })

  test('gives a reading without a context a journey of the same shape, which names what is missing', () => {
    const ofPlain = shapeOf(plain.ofLegacy, names)
    assert.deepEqual(ofPlain, shapeOf(library.ofLegacy))
    assert.match(ofPlain.missing.join(), /no context, publisher unknown/)
  })
})
