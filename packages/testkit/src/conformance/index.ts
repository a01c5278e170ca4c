export type { Case } from './case.ts'
export type {
  Capability,
  Conformance,
  Harness,
  Network,
  Place,
  PublisherWishes,
  SubscriberWishes,
} from './harness.ts'
export { conformance, conformanceCases } from './suite.ts'
