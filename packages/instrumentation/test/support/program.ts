import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { type Received, type Receiver, startReceiver } from './receiver.ts'

/** After it a program that hangs is killed, and its test fails with what it had printed. */
const LIMIT_MS = 90_000

export interface ProgramOptions {
  readonly args?: readonly string[]
  /** Beside the test's own environment without its OTEL_, NODE_ and THROUGHLINE_ variables; undefined takes one away. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Node's own flags; default `--import @throughline/instrumentation/register`. */
  readonly nodeArgs?: readonly string[]
  /** A signal that it is sent when it has printed a text. */
  readonly signal?: { readonly name: NodeJS.Signals; readonly after: string }
}

/** How a program ended, and what had been received of it by then. */
export interface ProgramRun extends Received {
  readonly exitCode: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

export const REGISTER = ['--import', '@throughline/instrumentation/register'] as const

let receiver: Promise<Receiver> | undefined

/**
 * Runs a program in a process of its own until it ends, its telemetry sent to a receiver in another one. Rejects where it
 * hangs. One at a time: a process has one receiver.
 */
export async function runProgram(
  file: string,
  { args = [], env = {}, nodeArgs = REGISTER, signal }: ProgramOptions = {},
): Promise<ProgramRun> {
  receiver ??= startReceiver()
  const { url, reset, received } = await receiver
  await reset()
  const source = ['--conditions=@throughline/source', '--disable-warning=ExperimentalWarning']
  const child = spawn(process.execPath, [...source, ...nodeArgs, file, ...args], {
    cwd: join(import.meta.dirname, '../..'),
    env: { ...plainEnvironment(), OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_SERVICE_NAME: 'app', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const timer = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS)
  if (signal !== undefined) sendSignal(child, signal)
  const exited = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>
  const [stdout, stderr, [exitCode, endedBy]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    exited,
  ])
  clearTimeout(timer)
  if (endedBy === 'SIGKILL') throw new Error(`${file} did not end by itself:\n${stdout}\n${stderr}`)
  return { exitCode, signal: endedBy, stdout, stderr, ...(await received()) }
}

function sendSignal(child: ChildProcess, { name, after }: NonNullable<ProgramOptions['signal']>): void {
  let printed = ''
  child.stdout?.on('data', (chunk: Buffer) => {
    const had = printed.includes(after)
    printed += chunk
    if (!had && printed.includes(after)) child.kill(name)
  })
}

/** What the test's own process was told of telemetry and of Node is not the program's. */
function plainEnvironment(): NodeJS.ProcessEnv {
  const entries = Object.entries(process.env).filter(([name]) => !/^(OTEL|NODE|THROUGHLINE)_/.test(name))
  return Object.fromEntries(entries)
}
