import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

/** How a service is started and how it is known to be ready. */
export interface ServiceSpec {
  readonly name: string
  /** Arguments of Node. */
  readonly args: readonly string[]
  readonly env: NodeJS.ProcessEnv
  readonly cwd: string
  /** Given every line of its stdout. */
  onLine?(line: string): void
  /** Whether it does its work now; asked again until it does. A line it printed, or an answer from its port. */
  isReady(service: Service): boolean | Promise<boolean>
}

export interface Service {
  readonly name: string
  readonly pid: number
  /** What it printed last, oldest first. */
  readonly lastLines: readonly string[]
  /** Resolves when it has ended, by itself or not. */
  readonly exited: Promise<ServiceEnd>
  /** Ends it by SIGTERM, after `graceMs` by SIGKILL, and resolves when it is gone. */
  stop(graceMs?: number): Promise<void>
}

export interface ServiceEnd {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** A service that ended or did not begin, with what it said last. */
export class ServiceError extends Error {
  readonly code = 'TL_DEMO_SERVICE'
}

const keptLines = 20
// Kafka holds a consumer's place for 30 s after it was killed, also over a restart of the broker.
const readyWithinMs = 90_000

/**
 * Starts a service by Node's path, with no shell or wrapper between. In a process group of its own: Ctrl-C reaches the
 * demo alone, which then ends the services in order.
 *
 * @param log Given each line that it prints.
 */
export function startService(spec: ServiceSpec, log: (line: string) => void): Service {
  const { name, args, env, cwd, onLine } = spec
  const stdio = ['ignore', 'pipe', 'pipe'] as const
  const child = spawn(process.execPath, args, { cwd, env, detached: true, stdio: [...stdio] })
  const lastLines: string[] = []
  const keep = (line: string) => {
    lastLines.push(line)
    if (lastLines.length > keptLines) lastLines.shift()
    log(line)
  }
  for (const stream of [child.stdout, child.stderr]) {
    if (stream === null) continue
    createInterface({ input: stream }).on('line', (line) => {
      keep(line)
      if (stream === child.stdout) onLine?.(line)
    })
  }
  const exited = new Promise<ServiceEnd>((resolve) => {
    // "close" comes after the last line was read; a grandchild that holds the pipe open must not delay it for ever.
    child.on('exit', (code, signal) => {
      child.on('close', () => resolve({ code, signal }))
      setTimeout(() => resolve({ code, signal }), 500).unref()
    })
    child.on('error', (error) => {
      keep(error.message)
      resolve({ code: null, signal: null })
    })
  })
  return {
    name,
    pid: child.pid ?? 0,
    lastLines,
    exited,
    stop: (graceMs = 10_000) => stop(child, exited, graceMs),
  }
}

/**
 * Resolves when the service is ready.
 *
 * @throws ServiceError where it ends before that, or is not ready in time.
 */
export async function untilReady(
  service: Service,
  spec: ServiceSpec,
  withinMs = readyWithinMs,
): Promise<void> {
  const deadline = performance.now() + withinMs
  let end: ServiceEnd | undefined
  void service.exited.then((ended) => {
    end = ended
  })
  while (!(await spec.isReady(service))) {
    if (end !== undefined) throw failure(service, endText(end))
    if (performance.now() > deadline) throw failure(service, `was not ready after ${withinMs / 1000} s`)
    await new Promise((next) => setTimeout(next, 25))
  }
}

/** The error for a service that was not to end. */
export function failure(service: Service, what: string): ServiceError {
  const lines = service.lastLines.length > 0 ? service.lastLines : ['(it printed nothing)']
  return new ServiceError(
    `${service.name} ${what}; its last lines:\n${lines.join('\n').replace(/^/gm, '    ')}`,
  )
}

export function endText({ code, signal }: ServiceEnd): string {
  if (signal !== null) return `was ended by ${signal}`
  return code === null ? 'could not be started' : `ended with exit code ${code}`
}

async function stop(child: ChildProcess, exited: Promise<ServiceEnd>, graceMs: number): Promise<void> {
  child.kill('SIGTERM')
  const force = setTimeout(() => child.kill('SIGKILL'), graceMs)
  await exited
  clearTimeout(force)
}
