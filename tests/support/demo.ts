import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { repository } from '../../scripts/bootstrap/paths.mjs'
import { brokers } from './pipeline.ts'

const flags = ['--conditions=@throughline/source', '--disable-warning=ExperimentalWarning']
const command = join(repository, 'packages/cli/bin/throughline.js')

export interface Demo extends AsyncDisposable {
  readonly child: ChildProcess
  stdout(): string
  stderr(): string
  /** Resolves with the exit code. */
  readonly ended: Promise<number | null>
  /** Ids of every process that it started, itself too; Linux tells them by an inherited variable. */
  processes(): number[]
  /** Of one whose command line has the text in it. */
  processOf(text: string): number
}

/** The demo as a user starts it, over the test's brokers, with a cache of its own. */
export function startDemo(...args: readonly string[]): Demo {
  const { kafkaBrokers, mqttUrl, amqpUrl } = brokers()
  const cache = mkdtempSync(join(tmpdir(), 'throughline-demo-'))
  const mark = `THROUGHLINE_TEST_RUN=${randomUUID()}`
  const [name = '', value] = mark.split('=')
  const child = spawn(process.execPath, [...flags, command, 'demo', ...args], {
    env: {
      ...process.env,
      KAFKA_BROKERS: kafkaBrokers,
      MQTT_URL: mqttUrl,
      AMQP_URL: amqpUrl,
      THROUGHLINE_CACHE: cache,
      [name]: value,
    },
  })
  const output = { stdout: '', stderr: '' }
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].setEncoding('utf8').on('data', (chunk: string) => {
      output[stream] += chunk
    })
  }
  const ended = once(child, 'close').then(() => child.exitCode)
  const processes = () =>
    readdirSync('/proc')
      .map(Number)
      .filter((pid) => pid > 0 && proc(pid, 'environ').includes(mark))
  return {
    child,
    ended,
    processes,
    stdout: () => output.stdout,
    stderr: () => output.stderr,
    processOf(text) {
      const found = processes().filter((pid) => proc(pid, 'cmdline').some((arg) => arg.includes(text)))
      assert.equal(found.length, 1, `one process of the demo has ${text} in its command line`)
      return found[0] ?? 0
    },
    async [Symbol.asyncDispose]() {
      for (const pid of processes()) process.kill(pid, 'SIGKILL')
      await ended
      rmSync(cache, { recursive: true, force: true })
    },
  }
}

/** A file of /proc, as the list of texts that it is; empty for a process that is gone. */
function proc(pid: number, file: 'environ' | 'cmdline'): string[] {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8').split('\0')
  } catch {
    return []
  }
}
