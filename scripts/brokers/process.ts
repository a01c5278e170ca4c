import { execFileSync, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ProcessIdentity } from './state.ts'

export interface LaunchSpec {
  command: string
  args: readonly string[]
  env?: Record<string, string>
  logFile: string
}

/**
 * Starts a program in a session of its own (Ctrl-C in a terminal reaches its owner first, which then stops it in order)
 * with all that it prints going to the log file.
 */
export function launch(spec: LaunchSpec): ProcessIdentity {
  const log = openSync(spec.logFile, 'a')
  try {
    const env = { ...process.env, ...spec.env }
    const child = spawn(spec.command, spec.args, { detached: true, stdio: ['ignore', log, log], env })
    // A program that cannot be started has no id; the error event must not end this process as well.
    child.on('error', () => {})
    child.unref()
    if (child.pid === undefined) throw new Error(`${spec.command} could not be started`)
    return { pid: child.pid, startedAt: startTime(child.pid) ?? '' }
  } finally {
    closeSync(log)
  }
}

/** This process as others can recognise it. */
export const self = (): ProcessIdentity => ({ pid: process.pid, startedAt: startTime(process.pid) ?? '' })

/** Whether the very process runs; another one that was given the same id later does not count. */
export const runs = (identity: ProcessIdentity): boolean => startTime(identity.pid) === identity.startedAt

/**
 * Ends a process by SIGTERM (after `graceMs` by SIGKILL) or by the given signal, and returns when it is gone. A process
 * that is not the recorded one is left alone.
 */
export async function end(
  identity: ProcessIdentity,
  signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM',
  graceMs = 15_000,
): Promise<void> {
  const killAt = performance.now() + graceMs
  let next: 'SIGTERM' | 'SIGKILL' | undefined = signal
  while (runs(identity)) {
    if (next === undefined && performance.now() > killAt) next = 'SIGKILL'
    if (next !== undefined) send(identity.pid, next)
    next = undefined
    await sleep(20)
  }
}

function send(pid: number, signal: 'SIGTERM' | 'SIGKILL'): void {
  try {
    process.kill(pid, signal)
  } catch {
    // It went between the look and the signal.
  }
}

/** When a process began, in the system's own words; nothing for one that is gone or only waits to be reaped. */
function startTime(pid: number): string | undefined {
  try {
    if (process.platform !== 'linux') {
      return (
        execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim() || undefined
      )
    }
    // proc_pid_stat(5): the fields after the command in parentheses, which may hold blanks: [0] state, [19] start time.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ')
    return fields[0] === 'Z' ? undefined : fields[19]
  } catch {
    return undefined
  }
}
