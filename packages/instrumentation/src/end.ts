import { flushMetrics, flushSpans } from './sdk.ts'

export function flushAtEnd(): void {
  process.once('beforeExit', () => Promise.all([flushSpans(), flushMetrics()]))
}
