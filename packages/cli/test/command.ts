import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { eventually } from '@throughline/testkit'

export const bin = join(import.meta.dirname, '../bin/throughline.js')
export const flags = ['--conditions=@throughline/source', '--disable-warning=ExperimentalWarning']

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs the command to its end, with nothing of OpenTelemetry's or Throughline's own in its environment but what is given. */
export async function throughline(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
  return ended(spawn(process.execPath, [...flags, bin, ...args], { env: plainEnv(env) }))
}

export async function ended(child: ChildProcess): Promise<Ended> {
  const closed = once(child, 'close')
  const [stdout, stderr] = await Promise.all([read(child.stdout), read(child.stderr)])
  await closed
  return { code: child.exitCode, stdout, stderr }
}

/** A command that goes on until it is told to end. */
export interface Server extends AsyncDisposable {
  readonly child: ChildProcess
  /** Resolves with the first match in what it has printed, to either stream. */
  printed(pattern: RegExp): Promise<RegExpExecArray>
  /** Sends the signal and resolves when it has ended. */
  end(signal?: NodeJS.Signals): Promise<{ code: number | null; signal: NodeJS.Signals | null }>
}

export function serve(args: readonly string[], env: NodeJS.ProcessEnv = {}, node?: string): Server {
  // The repository's own Node is given the flags; another one finds it by itself.
  const own = node === undefined ? flags : []
  const child = spawn(node ?? process.execPath, [...own, bin, ...args], { env: plainEnv(env) })
  const exited = once(child, 'close')
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk
    })
  }
  async function end(signal: NodeJS.Signals = 'SIGTERM') {
    child.kill(signal)
    await exited
    return { code: child.exitCode, signal: child.signalCode }
  }
  return {
    child,
    printed: (pattern) =>
      eventually(
        () => {
          const match = pattern.exec(output)
          if (match !== null) return match
          const state = child.exitCode === null ? '' : ` and ended with ${child.exitCode}`
          throw new Error(`it did not print ${pattern}${state}:\n${output}`)
        },
        // A start takes half a second, and many times that on a machine that is busy with others.
        { timeoutMs: 60_000 },
      ),
    end,
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.signalCode === null) await end('SIGKILL')
    },
  }
}

/** A folder that is gone with the test. */
export function temporaryFolder(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), 'throughline-cli-'))
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) }
}

function plainEnv(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !name.startsWith('OTEL_') && !name.startsWith('THROUGHLINE_') && name !== 'NODE_OPTIONS',
  )
  return { ...Object.fromEntries(inherited), ...env }
}

const read = (stream: ChildProcess['stdout']) => (stream === null ? '' : text(stream))

/** A port that is free now, on the loopback. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  assert.ok(typeof address === 'object' && address !== null)
  server.close()
  await once(server, 'close')
  return address.port
}
