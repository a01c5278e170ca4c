/**
 * How many spans a second one explorer takes over OTLP/HTTP (protobuf), what a span weighs on disk, and how long
 * look-ups take in what it then holds:
 * `node --conditions=@throughline/source packages/explorer/test/measure-ingest.ts [spans]`
 *
 * The explorer runs in this process; bodies are made before the clock starts, so that it is measured alone but
 * for the sending of the requests.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { startExplorer } from '@throughline/explorer'
import { requestOf, requestType } from '../src/otlp/codec.ts'
import { answerOf, explorerStatus } from './answer.ts'

const wanted = Number(process.argv[2] ?? 200_000)
const journeysPerRequest = 64
const spansPerJourney = 8
const inFlight = 8

const stringValue = (value: string) => ({ stringValue: value })
const idOf = (bytes: number, ...numbers: readonly number[]) => {
  const id = Buffer.alloc(bytes)
  for (const [i, number] of numbers.entries()) id.writeUInt32BE(number, bytes - 4 * (numbers.length - i))
  return id
}

/** One request with the spans of many journeys, each event through eight spans of five services. */
function bodyOf(request: number): Buffer<ArrayBuffer> {
  const spans = Array.from({ length: journeysPerRequest }, (_, journey) =>
    Array.from({ length: spansPerJourney }, (_, i) => {
      const traceId = idOf(16, 1, request, journey)
      const parent = i === 0 ? {} : { parentSpanId: idOf(8, request + 1, journey * spansPerJourney + i) }
      const attributes = Object.entries({
        'messaging.system': 'kafka',
        'messaging.operation.type': i % 2 === 0 ? 'send' : 'process',
        'messaging.operation.name': i % 2 === 0 ? 'send' : 'process',
        'messaging.destination.name': `topic-${i % 4}`,
        'messaging.destination.partition.id': '2',
        'messaging.message.id': `message-${request}-${journey}`,
        'cloudevents.event_id': `event-${request}-${journey}`,
        'cloudevents.event_source': '/measure',
        'cloudevents.event_type': 'com.example.measured',
        'cloudevents.event_subject': `subject-${journey}`,
        'cloudevents.event_spec_version': '1.0',
      }).map(([key, value]) => ({ key, value: stringValue(value) }))
      const at = BigInt(Date.now()) * 1_000_000n + BigInt(i * 1_000_000)
      return {
        traceId,
        spanId: idOf(8, request + 1, journey * spansPerJourney + i + 1),
        ...parent,
        name: i % 2 === 0 ? `send topic-${i % 4}` : `process topic-${i % 4}`,
        kind: i % 2 === 0 ? 4 : 5,
        startTimeUnixNano: at,
        endTimeUnixNano: at + 900_000n,
        attributes,
        links: i % 2 === 1 ? [{ traceId, spanId: idOf(8, request + 1, journey * spansPerJourney + i) }] : [],
      }
    }),
  )
  const resourceSpans = Array.from({ length: 5 }, (_, service) => ({
    resource: { attributes: [{ key: 'service.name', value: stringValue(`service-${service}`) }] },
    scopeSpans: [
      {
        scope: { name: 'measure' },
        spans: spans.flatMap((journey) => journey.filter((_, i) => i % 5 === service)),
      },
    ],
  }))
  return Buffer.from(requestType.encode({ ...requestOf({ resourceSpans }) }).finish())
}

const dataDir = mkdtempSync(join(tmpdir(), 'throughline-measure-'))
const explorer = await startExplorer({
  listen: '127.0.0.1:0',
  otlpHttp: '127.0.0.1:0',
  dataDir,
  log: console.error,
})
const perRequest = journeysPerRequest * spansPerJourney
const requests = Math.ceil(wanted / perRequest)
const bodies = Array.from({ length: requests }, (_, request) => bodyOf(request))

const headers = { 'content-type': 'application/x-protobuf' }
const startedMs = performance.now()
let next = 0
await Promise.all(
  Array.from({ length: inFlight }, async () => {
    for (let body = bodies[next++]; body; body = bodies[next++]) {
      const answer = await fetch(`${explorer.otlpUrl}/v1/traces`, { method: 'POST', headers, body })
      if (answer.status !== 200) throw new Error(`${answer.status} ${await answer.text()}`)
      await answer.arrayBuffer()
    }
  }),
)
const seconds = (performance.now() - startedMs) / 1_000
const status = await answerOf(fetch(`${explorer.url}/api/status`), explorerStatus)

async function medianMs(path: (i: number) => string): Promise<number> {
  const times: number[] = []
  for (let i = 0; i < 50; i++) {
    const beganMs = performance.now()
    const answer = await fetch(explorer.url + path(i))
    await answer.arrayBuffer()
    if (answer.status !== 200) throw new Error(`${path(i)}: ${answer.status}`)
    times.push(performance.now() - beganMs)
  }
  return times.sort((a, b) => a - b)[25] ?? Number.NaN
}
const anyRequest = (i: number) => (i * 7_919) % requests

console.log(`${cpus().length} × ${cpus()[0]?.model}, Node ${process.version}`)
console.log(
  `ingest        ${Math.round(status.spanCount / seconds)} spans/s (${status.spanCount} spans, ${perRequest} a request, ${inFlight} requests at once)`,
)
console.log(`on disk       ${Math.round(status.bytes / status.spanCount)} B a span`)
console.log(
  `journey       ${(await medianMs((i) => `/api/journeys/event-${anyRequest(i)}-5`)).toFixed(1)} ms (by event id, 8 spans; median, over HTTP)`,
)
console.log(
  `search        ${(await medianMs((i) => `/api/search?q=message-${anyRequest(i)}-9`)).toFixed(1)} ms (by an .id attribute)`,
)
console.log(`list          ${(await medianMs(() => '/api/journeys?limit=50')).toFixed(1)} ms (50 journeys)`)
console.log(
  `free text     ${(await medianMs(() => '/api/search?q=no%20such%20text')).toFixed(1)} ms (nothing found in the newest 20,000 spans)`,
)
await explorer.close()
rmSync(dataDir, { recursive: true })
