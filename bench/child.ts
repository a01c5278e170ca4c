import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'

const FLAGS = ['--conditions=@throughline/source', '--disable-warning=ExperimentalWarning']

export interface Child extends AsyncDisposable {
  readonly process: ChildProcess
  /** First line of its output that matches. */
  line(pattern: RegExp): Promise<string>
  /** User and system time so far, microseconds. */
  cpuMicros(): number
  /** Rejects with its last output when it ends. */
  readonly ended: Promise<never>
}

/** Starts a script of the repository under this process's Node. It ends by SIGTERM when disposed of. */
export function startChild(script: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Child {
  const child = spawn(process.execPath, [...FLAGS, script, ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  const lines: string[] = []
  const waiting: { readonly pattern: RegExp; readonly resolve: (line: string) => void }[] = []
  for (const stream of [child.stdout, child.stderr]) {
    if (stream === null) continue
    createInterface({ input: stream }).on('line', (line) => {
      lines.push(line)
      const index = waiting.findIndex(({ pattern }) => pattern.test(line))
      if (index >= 0) waiting.splice(index, 1)[0]?.resolve(line)
    })
  }
  const exited = once(child, 'exit')
  const ended = exited.then((): never => {
    throw new Error(`${script} ended:\n${lines.slice(-20).join('\n')}`)
  })
  // Whoever does not look at it has no interest in how the child ends.
  ended.catch(() => undefined)

  async function line(pattern: RegExp): Promise<string> {
    const known = lines.find((each) => pattern.test(each))
    if (known !== undefined) return known
    const { promise, resolve } = Promise.withResolvers<string>()
    waiting.push({ pattern, resolve })
    return Promise.race([promise, ended])
  }

  function cpuMicros(): number {
    // utime and stime are the 14th and 15th field; the command in brackets may hold spaces (proc(5)).
    const stat = readFileSync(`/proc/${child.pid}/stat`, 'utf8')
    const [user, system] = stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .slice(11, 13)
    return (Number(user) + Number(system)) * 10_000
  }

  return {
    process: child,
    line,
    cpuMicros,
    ended,
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGTERM')
        await exited
      }
    },
  }
}
