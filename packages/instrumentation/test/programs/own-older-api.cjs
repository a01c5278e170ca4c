// An SDK that is registered with an API older than ours, and a span of the application's own on it.
const { ROOT_CONTEXT, trace } = require('@opentelemetry/api-oldest')

const taken = trace.setGlobalTracerProvider({
  getTracer: () => ({
    startSpan(name) {
      console.log(`own span ${name}`)
      return trace.wrapSpanContext({ traceId: '1'.repeat(32), spanId: '2'.repeat(16), traceFlags: 1 })
    },
    startActiveSpan() {
      throw new Error('not called')
    },
  }),
})
console.log(`own SDK ${taken ? 'registered' : 'refused'}`)
process.once('beforeExit', () => trace.getTracer('app').startSpan('mine', {}, ROOT_CONTEXT))
