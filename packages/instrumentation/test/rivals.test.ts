import assert from 'node:assert/strict'
import { test } from 'node:test'
import { datadogTraces } from '../src/rivals.ts'
import { withCopy } from './support/app.ts'
import { REGISTER, runProgram } from './support/program.ts'
import { program } from './support/sent.ts'

test('a client that dd-trace traces is left to it, with one warning', async () => {
  // Its mark in the process, as its `init` leaves it.
  const mark = 'data:text/javascript,globalThis._ddtrace={_initialized:true,_tracingInitialized:true}'
  const run = await runProgram(program('send.cjs'), { nodeArgs: ['--import', mark, ...REGISTER] })
  assert.deepEqual([run.exitCode, run.stdout, run.paths], [0, 'KafkaJSError\n', []])
  assert.equal(run.stderr.match(/kafkajs is traced by another instrumentation too/g)?.length, 1)
})

test('dd-trace is asked for what it traces now', () => {
  const traces = (client: string, tracer: unknown, environment = {}) => {
    Reflect.set(globalThis, '_ddtrace', tracer)
    try {
      return datadogTraces(client, environment)()
    } finally {
      Reflect.deleteProperty(globalThis, '_ddtrace')
    }
  }
  const begun = { _initialized: true, _tracingInitialized: true }
  assert.equal(datadogTraces('kafkajs', {})(), false)
  assert.equal(traces('kafkajs', begun), true)
  assert.equal(traces('kafkajs', { _initialized: true }), true)
  assert.equal(traces('kafkajs', {}), true)
  assert.equal(traces('@confluentinc/kafka-javascript', begun), true)
  // It knows nothing of MQTT.
  assert.equal(traces('mqtt', begun), false)
  // Loaded, for its metrics perhaps, or told not to trace.
  assert.equal(traces('kafkajs', { _initialized: false, _tracingInitialized: false }), false)
  assert.equal(traces('kafkajs', { ...begun, _tracingInitialized: false }), false)
  assert.equal(traces('kafkajs', begun, { DD_TRACE_DISABLED_PLUGINS: 'amqplib, kafkajs' }), false)
  assert.equal(traces('kafkajs', begun, { DD_TRACE_DISABLED_PLUGINS: 'amqplib' }), true)
  assert.equal(traces('kafkajs', begun, { DD_TRACE_DISABLED_INSTRUMENTATIONS: 'kafkajs' }), false)
  const disabled = { DD_TRACE_CONFLUENTINC_KAFKA_JAVASCRIPT_ENABLED: 'False' }
  assert.equal(traces('@confluentinc/kafka-javascript', begun, disabled), false)
})

test('an unknown major version of a client is left alone, and said', async () => {
  const programs = program('.')
  const run = await withCopy('kafkajs', programs, { version: '3.0.0' }, (folder) =>
    runProgram(`${folder}/send.mjs`),
  )
  assert.deepEqual([run.exitCode, run.stdout, run.paths], [0, 'KafkaJSError\n', []])
  assert.match(run.stderr, /kafkajs 3\.0\.0 is left alone: versions from 2\.0\.0 to before 3\.0\.0 are known/)
})
