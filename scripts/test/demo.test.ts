import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, test } from 'node:test'
import { repository } from '../bootstrap/paths.mjs'
import { freePorts } from '../brokers/ports.ts'
import { createFleet } from '../demo/fleet.ts'
import { missingFrom, readingJourney } from '../demo/journey.ts'
import { parseOptions } from '../demo/options.ts'
import type { ServiceSpec } from '../demo/service.ts'

function service(name: string, script: string): ServiceSpec {
  const isReady: ServiceSpec['isReady'] = ({ lastLines }) => lastLines.includes('ready')
  return { name, args: ['-e', script], env: process.env, cwd: tmpdir(), isReady }
}

const runs = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

describe('options of the demo', () => {
  test('have defaults and are read as numbers', () => {
    assert.deepEqual(parseOptions(['--once', '--rate', '2.5', '--without-exporter', 'device']), {
      once: true,
      json: false,
      logs: false,
      help: false,
      orders: false,
      plain: false,
      wait: 30,
      rate: 2.5,
      'without-exporter': ['device'],
    })
  })

  for (const args of [
    ['--rate', '0'],
    ['--rate', 'x'],
    ['--wait', '-1'],
    ['--port', '70000'],
    ['--nix'],
    ['more'],
    ['orders', 'more'],
  ]) {
    test(`that are wrong are refused in one sentence: ${args.join(' ')}`, () => {
      assert.throws(() => parseOptions(args), { code: 'TL_USAGE', message: /^[^\n]+$/ })
    })
  }
})

test('of a journey that is not known every hop is missing', () => {
  assert.deepEqual(missingFrom(null, readingJourney), [
    'HTTP station → webhook',
    'Kafka webhook → forwarder',
    'MQTT forwarder → device',
    'HTTP device → echo',
  ])
})

describe('a fleet', () => {
  test('ends its services in the reverse order of their start, by force where they do not listen', async () => {
    const lines: string[] = []
    const fleet = createFleet((name, line) => lines.push(`${name} ${line}`))
    const polite =
      "process.on('SIGTERM', () => { console.log('ends'); process.exit() }); setInterval(() => {}, 1e6)"
    const first = await fleet.start(service('first', `${polite}; console.log('ready')`))
    const second = await fleet.start(service('second', `${polite}; console.log('ready')`))
    await fleet.stop()
    assert.deepEqual(lines, ['first ready', 'second ready', 'second ends', 'first ends'])
    assert.equal(runs(first.pid) || runs(second.pid), false)
    await assert.rejects(fleet.start(service('third', '')), /third is not started/)
  })

  test('says what a service printed last that ended before it was ready', async () => {
    const fleet = createFleet(() => {})
    const broken = service('broken', "console.error('no such thing'); process.exit(7)")
    const expected = {
      code: 'TL_DEMO_SERVICE',
      message: /^broken ended with exit code 7; .*:\n {4}no such thing$/,
    }
    await assert.rejects(fleet.start(broken), expected)
    await assert.rejects(fleet.broken, expected)
    await fleet.stop()
  })
})

test('a broker that the environment names and that does not answer is named in one sentence', async () => {
  const [port = 0] = await freePorts(1)
  const cache = mkdtempSync(join(tmpdir(), 'throughline-demo-'))
  const flags = ['--conditions=@throughline/source', '--disable-warning=ExperimentalWarning']
  const child = spawn(
    process.execPath,
    [...flags, join(repository, 'packages/cli/bin/throughline.js'), 'demo', '--json'],
    {
      env: {
        ...process.env,
        THROUGHLINE_CACHE: cache,
        KAFKA_BROKERS: `127.0.0.1:${port}`,
        MQTT_URL: `mqtt://user:secret@127.0.0.1:${port}`,
      },
    },
  )
  const closed = once(child, 'close')
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)])
  await closed
  rmSync(cache, { recursive: true, force: true })
  assert.equal(child.exitCode, 1)
  assert.equal(stdout, '')
  assert.match(
    stderr,
    new RegExp(
      `throughline: nothing answers at 127\\.0\\.0\\.1:${port}, which (KAFKA_BROKERS|MQTT_URL) names`,
    ),
  )
  assert.doesNotMatch(stderr, /secret/)
})
