import assert from 'node:assert/strict'
import { type ExecFileSyncOptions, execFile, execFileSync, spawnSync } from 'node:child_process'
import { globSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { otlpSink } from '@throughline/testkit'
import { packAll } from '../scripts/pack.ts'

/** The oldest Node that the packages promise to run on, as the npm package of its binary. */
const OLDEST_NODE = `node-${process.platform}-${process.arch}@22.22.0`
/** A client of the application's, for the instrumentation. */
const KAFKAJS = 'kafkajs@2.2.4'
const root = join(import.meta.dirname, '..')
const folder = mkdtempSync(join(tmpdir(), 'throughline-packed-'))
const options: ExecFileSyncOptions = { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }

const program = `
import { createEvent, headerText } from '@throughline/core'
import { http } from '@throughline/http'
import { kafka } from '@throughline/kafka'
import { mqtt } from '@throughline/mqtt'
import { rabbitmq } from '@throughline/rabbitmq'
import { startBridge } from '@throughline/bridge'
import { startExplorer } from '@throughline/explorer'
import { createInstrumentations } from '@throughline/instrumentation'
import { memoryTransport } from '@throughline/testkit'
import { conformance } from '@throughline/testkit/conformance'

const event = createEvent({ type: 't', source: '/s', data: { n: 1 } })
const message = memoryTransport().binding.encode(event, { mode: 'binary' })
const type: string | null = headerText(message.headers, 'ce_type')
const made: readonly unknown[] = [http, kafka, mqtt, rabbitmq, startBridge, conformance, createInstrumentations]
if (type !== 't' || made.some((each) => typeof each !== 'function')) throw new Error('not whole')

const explorer = await startExplorer({ listen: '127.0.0.1:0', otlpHttp: '127.0.0.1:0', dataDir: process.argv[2] ?? '' })
const page = await fetch(new URL('/', explorer.url))
if (!page.ok) throw new Error('the explorer did not answer')
await explorer.close()
console.log('whole under ' + process.version)
`

/** An application that stays with OpenTelemetry's SDK 2, which takes no API of 1.10. */
const OLDER_SDK = ['@opentelemetry/api@1.9.0', '@opentelemetry/sdk-trace-node@2.12.0']
const olderProgram = `
import { InMemorySpanExporter, NodeTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-node'
import { http } from '@throughline/http'

const exporter = new InMemorySpanExporter()
new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }).register()
const web = http({ listen: '127.0.0.1:0' })
await web.subscribe({ path: '/events' }, () => {})
const publisher = web.publisher({ url: 'http://127.0.0.1:' + web.address().port + '/events' })
await publisher.publish({ type: 't', source: '/s', data: { n: 1 } })
await web.close()
const spans = exporter.getFinishedSpans()
const traces = new Set(spans.map((span) => span.spanContext().traceId))
console.log(spans.map((span) => span.name.split(' ')[0]).sort().join(' '), 'in', traces.size)
`

const service = `
import { Kafka, logLevel } from 'kafkajs'

const kafka = new Kafka({ brokers: ['127.0.0.1:9'], logLevel: logLevel.NOTHING })
await kafka.producer().send({ topic: 'orders', messages: [{ value: 'one' }] }).catch(() => undefined)
`

const install = [
  'install',
  '--no-audit',
  '--no-fund',
  '--no-package-lock',
  '--prefer-offline',
  '--loglevel=error',
]
let tarballs: readonly string[]

before(() => {
  execFileSync(process.execPath, ['--conditions=@throughline/source', join(root, 'scripts/build.ts')], {
    stdio: 'pipe',
  })
  tarballs = packAll(join(folder, 'tarballs'))
  writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }')
  writeFileSync(join(folder, 'program.ts'), program)
  writeFileSync(join(folder, 'service.js'), service)
  execFileSync('npm', [...install, ...tarballs, KAFKAJS, OLDEST_NODE], options)
})
after(() => rmSync(folder, { recursive: true, force: true }))

describe('the packages as they are published, in an empty folder', () => {
  test('have types that check', () => {
    const flags = [
      '--strict',
      '--module',
      'nodenext',
      '--target',
      'es2024',
      '--skipLibCheck',
      '--outDir',
      'out',
    ]
    const types = ['--types', 'node', '--typeRoots', join(root, 'node_modules/@types')]
    execFileSync(join(root, 'node_modules/.bin/tsc'), [...flags, ...types, 'program.ts'], options)
  })

  for (const [name, node] of [
    ['the Node of development', process.execPath],
    ['the oldest Node', join(folder, 'node_modules/.bin/node')],
  ] as const) {
    test(`run under ${name}`, () => {
      const output = execFileSync(node, ['out/program.js', join(folder, `data-${name.length}`)], options)
      assert.match(String(output), /^whole under v2[24]\./m)
    })

    test(`register traces a service under ${name}`, async () => {
      const sink = await otlpSink()
      const env = { ...process.env, OTEL_EXPORTER_OTLP_ENDPOINT: sink.url, OTEL_SERVICE_NAME: 'service' }
      const args = ['--import', '@throughline/instrumentation/register', 'service.js']
      // Not the one that blocks: the sink is in this process.
      const { stderr } = await promisify(execFile)(node, args, { cwd: folder, env })
      assert.equal(stderr, '')
      assert.deepEqual(
        sink.spans().map((span) => `${span.service}: ${span.name}`),
        ['service: send orders'],
      )
      await sink.close()
    })

    test(`the command answers under ${name}`, () => {
      const command = join(folder, 'node_modules/@throughline/cli/bin/throughline.js')
      assert.match(
        String(execFileSync(node, [command, '--help'], options)),
        /bridge[\s\S]*explorer[\s\S]*journey/,
      )
    })
  }

  test('record under the SDK of an application that has an API of 1.9, with no second copy of it', () => {
    const older = join(folder, 'older')
    mkdirSync(older)
    writeFileSync(join(older, 'package.json'), '{ "private": true, "type": "module" }')
    writeFileSync(join(older, 'program.js'), olderProgram)
    const library = tarballs.filter((path) => /-(core|http)-/.test(path))
    execFileSync('npm', [...install, ...OLDER_SDK, ...library], { ...options, cwd: older })
    const output = execFileSync(process.execPath, ['program.js'], { ...options, cwd: older })
    assert.equal(String(output), 'process send in 1\n')
    const copies = globSync('node_modules/**/@opentelemetry/api/package.json', { cwd: older })
    assert.deepEqual(copies, [join('node_modules', '@opentelemetry', 'api', 'package.json')])
  })

  test('carry nothing of the development condition', () => {
    const grep = ['-rl', '@throughline/source', 'node_modules/@throughline', '--include=package.json']
    assert.equal(spawnSync('grep', grep, { cwd: folder, encoding: 'utf8' }).stdout, '')
  })
})
