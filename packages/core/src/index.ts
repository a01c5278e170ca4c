export * from './attribute.ts'
export * from './binding.ts'
export * from './broker.ts'
export * from './consume/backoff.ts'
export * from './consume/options.ts'
export * from './consume/position.ts'
export type { Subscription } from './consume/subscription.ts'
export * from './contract.ts'
export * from './data.ts'
export * from './errors.ts'
export * from './event.ts'
export { createInbox, type Inbox } from './inbox.ts'
export * from './json.ts'
export { createLinkedList, type LinkedList, type Place } from './linked-list.ts'
export * from './message.ts'
export * from './publishing.ts'
export * from './traced.ts'
export type { CaptureOptions } from './tracing/capture.ts'
export * from './tracing/headers.ts'
export type { ProcessTelemetry } from './tracing/process.ts'
export {
  activeContextHeaders,
  extractContext,
  type HopContext,
  isContextHeader,
  type Propagate,
} from './tracing/propagation.ts'
export type { PublishTelemetry } from './tracing/publisher.ts'
export { withReplay } from './tracing/replay.ts'
export { parseTraceparent, RANDOM_FLAG } from './tracing/traceparent.ts'
export { parseTraceState } from './tracing/tracestate.ts'
