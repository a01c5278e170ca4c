import { test } from 'node:test'
import { KafkaJsInstrumentation as Contrib } from '@opentelemetry/instrumentation-kafkajs'
import { KafkaJsInstrumentation } from '../../src/index.ts'
import { stepsBack } from '../support/kafkajs-contrib.ts'

const contrib = new Contrib()
new KafkaJsInstrumentation()

test("beside contrib's instrumentation, registered before: its spans alone, one traceparent, one warning", (t) =>
  stepsBack(t, contrib))
