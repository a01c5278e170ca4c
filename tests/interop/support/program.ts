import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { endingWithUs } from '../../../scripts/bootstrap/command.mjs'
import { interopGo, interopPython } from '../../../scripts/bootstrap/foreign.mjs'
import { repository } from '../../../scripts/bootstrap/paths.mjs'

/** How a program of another language is started: its command line without the arguments. */
export type Language = (program: string) => readonly [command: string, ...args: string[]]

export const python: Language = (program) => [
  interopPython(),
  join(repository, 'tests/interop/python', `${program}.py`),
]
export const go: Language = (program) => [interopGo(), program]

export interface Program extends AsyncDisposable {
  /** What it prints, line by line as it comes, each of them JSON. */
  readonly lines: AsyncIterableIterator<unknown>
  /** Waits for its end. Fails, with what it wrote to stderr, when that is not exit 0. */
  ended(): Promise<void>
}

/** Starts a stranger's program; `input` is its stdin, `otlpUrl` where its OpenTelemetry exports to. */
export function startProgram(
  line: readonly [string, ...string[]],
  args: readonly string[],
  { input = '', otlpUrl }: { readonly input?: string; readonly otlpUrl: string },
): Program {
  // A consumer that waits for what never comes is to end with a test that ran out of time.
  const [command, ...before] = endingWithUs('KILL', line)
  const child = spawn(command, [...before, ...args], {
    stdio: 'pipe',
    env: {
      ...process.env,
      OTEL_EXPORTER_OTLP_ENDPOINT: otlpUrl,
      OTEL_SERVICE_NAME: 'stranger',
      PYTHONDONTWRITEBYTECODE: '1',
    },
  })
  const exited = once(child, 'exit')
  const complaints = text(child.stderr)
  // A program that fails at once has closed its stdin; why, it says on stderr.
  child.stdin.on('error', () => {})
  child.stdin.end(input)
  return {
    lines: parsed(createInterface({ input: child.stdout })),
    async ended() {
      const [code] = await exited
      assert.equal(code, 0, await complaints)
    },
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.signalCode === null && child.kill('SIGKILL')) await exited
    },
  }
}

async function* parsed(lines: AsyncIterable<string>): AsyncIterableIterator<unknown> {
  for await (const line of lines) yield JSON.parse(line)
}
