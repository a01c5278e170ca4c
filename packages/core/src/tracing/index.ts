// The tracing rules by themselves, for whoever traces a client that is not one of the transports'.
export { eventAttributes } from './attributes.ts'
export { type BatchSpan, type BatchStart, batchTracer, type Member } from './batch.ts'
export type { CaptureOptions } from './capture.ts'
export { microsText, unixMs } from './clock.ts'
export { ATTEMPT_OF_HEADER, OWN_HEADERS, REPLAY_HEADER, SENT_AT_HEADER } from './headers.ts'
export { layered } from './layer.ts'
export { type ProcessSpan, type ProcessStart, type ProcessTelemetry, processTracer } from './process.ts'
export {
  arrivedContext,
  extractContext,
  type HopContext,
  type InjectedContext,
  injectedContext,
  injectedSpan,
  type Propagate,
} from './propagation.ts'
export type { PublishTelemetry } from './publisher.ts'
export { type ReceiveSpan, type ReceiveStart, receiveTracer } from './receive.ts'
export { APPLICATION, type Scope } from './scope.ts'
export { type SendTracer, type Sent, type SentBatch, sendTracer } from './sending.ts'
export { type EndSettle, type Settling, settleTracer } from './settle.ts'
export { parseTraceparent } from './traceparent.ts'
export { hasSdk, registeredTracers } from './tracer.ts'
