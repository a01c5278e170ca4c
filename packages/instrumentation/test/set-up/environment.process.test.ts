import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runProgram } from '../support/program.ts'
import { program, sent, treeOf } from '../support/sent.ts'

const send = program('send.cjs')

test('variables set the options of all clients', async () => {
  const run = await runProgram(send, { env: { THROUGHLINE_INSTRUMENTATION_IGNORE: 'payments, orders' } })
  assert.deepEqual([run.stdout, run.stderr, run.spans], ['KafkaJSError\n', '', []])
})

test('a client that a variable names is left alone', async () => {
  const run = await runProgram(send, { env: { THROUGHLINE_INSTRUMENTATION_DISABLED: 'amqplib,kafkajs' } })
  assert.deepEqual([run.stdout, run.stderr, run.paths], ['KafkaJSError\n', '', []])
})

test('wrong variables are warned of and count as none', async () => {
  const run = await runProgram(send, {
    env: {
      THROUGHLINE_INSTRUMENTATION_DISABLED: 'kafka',
      THROUGHLINE_INSTRUMENTATION_TRUST: 'always',
      THROUGHLINE_INSTRUMENTATION_LINKS: '1',
      OTEL_TRACES_SAMPLER: 'sometimes',
      OTEL_PROPAGATORS: 'tracecontext,pigeon',
    },
  })
  assert.equal(run.exitCode, 0)
  assert.match(run.stderr, /DISABLED names kafka, which is no client. There are amqplib, /)
  assert.match(run.stderr, /TRUST=always is not known: it is one of continue, link, ignore/)
  assert.match(run.stderr, /THROUGHLINE_INSTRUMENTATION_LINKS is not known. There are /)
  assert.match(run.stderr, /unknown OTEL_TRACES_SAMPLER value "sometimes"/)
  assert.match(run.stderr, /Propagator "pigeon" requested through environment variable is unavailable/)
  assert.deepEqual(treeOf(run), [sent])
})

test('exporters that are switched off are nothing to warn of', async () => {
  const run = await runProgram(send, { env: { OTEL_TRACES_EXPORTER: 'none', OTEL_METRICS_EXPORTER: 'none' } })
  assert.deepEqual([run.exitCode, run.stderr, run.paths], [0, '', []])
})

test('OTEL_LOG_LEVEL has one line of it printed', async () => {
  const run = await runProgram(send, { env: { OTEL_LOG_LEVEL: 'info', OTEL_TRACES_EXPORTER: 'none' } })
  const lines = run.stdout.split('\n').filter((line) => line.includes('@throughline/instrumentation:'))
  assert.equal(lines.length, 1)
  assert.match(lines[0] ?? '', /tracing amqplib, .*kafkajs.*: without an SDK when the first client is made/)
})

test('an endpoint without http:// is warned of, and a password in it not printed', async () => {
  const endpoint = 'user:geheim@127.0.0.1:9'
  const run = await runProgram(send, { env: { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint } })
  assert.equal(run.exitCode, 0)
  assert.match(run.stderr, /OTEL_EXPORTER_OTLP_ENDPOINT does not begin with http:\/\/ or https:\/\//)
  assert.doesNotMatch(run.stderr, /geheim/)
  assert.deepEqual(run.paths, [])
})

test('a log level that there is not is warned of once, and nothing else is said', async () => {
  const run = await runProgram(send, { env: { OTEL_LOG_LEVEL: 'loud' } })
  assert.deepEqual([run.exitCode, run.stdout], [0, 'KafkaJSError\n'])
  assert.match(run.stderr, /Unknown log level "loud"/)
  assert.equal(run.stderr.match(/Warning:/g)?.length, 1)
  assert.deepEqual(treeOf(run), [sent])
})
