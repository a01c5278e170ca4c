import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { answerOf } from '../answer.ts'
import { needsShared, sharedFile } from '../shared-data.ts'
import { sendShared, temporaryExplorer } from '../temporary.ts'

const recording = z.object({
  request: z.object({ path: z.string() }),
  status: z.number(),
  contentType: z.string(),
  body: z.unknown(),
})

const tag = z.object({ key: z.string(), type: z.string(), value: z.unknown() })
const traces = z.object({
  data: z.array(z.object({ traceID: z.string(), spans: z.array(z.object({ tags: z.array(tag) })) })),
})

for (const name of ['v1-trace', 'v1-trace-links', 'v1-trace-missing', 'v1-trace-bad-id']) {
  test(`GET /api/traces answers what Jaeger 2.20 answers: ${name}`, needsShared, async (context) => {
    const explorer = await temporaryExplorer(context)
    await sendShared(explorer, 'golden/otlp.json')
    const golden = recording.parse(JSON.parse(sharedFile(`golden/jaeger/${name}.json`).toString()))
    const answer = await fetch(explorer.url + golden.request.path)
    assert.equal(answer.status, golden.status)
    assert.equal(answer.headers.get('content-type'), golden.contentType)
    const text = await answer.text()
    // The same bytes, but for the spaces of the recording.
    assert.equal(text.trim(), JSON.stringify(golden.body))
  })
}

test('a trace id whose leading zeros were stripped is found', needsShared, async (context) => {
  const explorer = await temporaryExplorer(context)
  await sendShared(explorer, 'golden/otlp.json')
  const answer = await fetch(`${explorer.url}/api/traces/af7651916cd43dd8448eb211c80319c`)
  assert.equal(answer.status, 200)
  const { data } = await answerOf(answer, traces)
  assert.equal(data[0]?.traceID, '0af7651916cd43dd8448eb211c80319c')
  const tags = data.flatMap(({ spans }) => spans).flatMap((span) => span.tags)
  const tagged = (key: string) => tags.find((tag) => tag.key === key)
  assert.deepEqual(tagged('order.amount'), { key: 'order.amount', type: 'float64', value: 12.5 })
  assert.deepEqual(tagged('tags'), { key: 'tags', type: 'string', value: '["a","b"]' })
  assert.deepEqual(tagged('blob'), { key: 'blob', type: 'binary', value: 'AP8=' })
  assert.deepEqual(tagged('error'), { key: 'error', type: 'bool', value: true })
})
