import assert from 'node:assert/strict'
import { createRequire, syncBuiltinESMExports } from 'node:module'
import type { HttpInstrumentation } from '@opentelemetry/instrumentation-http'
import type { UndiciInstrumentation } from '@opentelemetry/instrumentation-undici'
import { recordSpans, type SpanNode, type SpanRecorder } from '@throughline/testkit'

/**
 * Sets instrumentations to work, as an application starts with them: what they patch is to be imported after. Gives back
 * node:http as they have patched it.
 */
export function instrument(
  ...instrumentations: readonly (HttpInstrumentation | UndiciInstrumentation)[]
): typeof import('node:http') {
  for (const each of instrumentations) each.setTracerProvider(recordSpans().tracerProvider)
  const nodeHttp: typeof import('node:http') = createRequire(import.meta.url)('node:http')
  syncBuiltinESMExports()
  return nodeHttp
}

/** The process span of one event at `/events`, under the server's span, under the send, to which it links. Throws when it is otherwise. */
export function processUnderServer(spans: SpanRecorder): SpanNode | undefined {
  const [send, more] = spans.tree()
  assert.equal(more, undefined)
  const server = send?.children?.[0]
  const process = server?.children?.[0]
  assert.deepEqual(
    [send, server, process].map((node) => `${node?.name} ${node?.kind}`),
    ['send /events PRODUCER', 'POST SERVER', 'process /events CONSUMER'],
  )
  assert.deepEqual(process?.links, [{ to: 'send /events' }])
  return process
}
