import { test } from 'node:test'
import { KafkaJsInstrumentation as Contrib } from '@opentelemetry/instrumentation-kafkajs'
import { KafkaJsInstrumentation } from '../../src/index.ts'
import { stepsBack } from '../support/kafkajs-contrib.ts'

new KafkaJsInstrumentation()
const contrib = new Contrib()

test("beside contrib's instrumentation, registered after: its spans alone, one traceparent, one warning", (t) =>
  stepsBack(t, contrib))
