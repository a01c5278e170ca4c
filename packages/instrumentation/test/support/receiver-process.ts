import { otlpSink } from '@throughline/testkit'
import type { Received } from './receiver.ts'

const sink = await otlpSink()
process.on('message', (question) => {
  if (question === 'reset') sink.reset()
  const received: Received = { spans: sink.spans(), paths: sink.requests.map(({ path }) => path) }
  process.send?.(received)
})
process.on('disconnect', () => process.exit())
process.send?.({ url: sink.url })
