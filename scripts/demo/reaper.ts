import { spawn } from 'node:child_process'

export interface Reaper {
  /** A process that is to end with this one. */
  watch(pid: number): void
  /** All of them have ended. */
  dismiss(): void
}

/**
 * A shell that sees the end of this process even where it was killed by SIGKILL (its stdin closes), and then ends the
 * processes named to it: services in process groups of their own would otherwise live on.
 */
export function startReaper(): Reaper {
  const script = 'while read -r pid; do pids="$pids $pid"; done; [ -z "$pids" ] || kill -TERM $pids'
  const reaper = spawn('/bin/sh', ['-c', script], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] })
  reaper.unref()
  // Its pipe breaks when it is dismissed.
  reaper.stdin.on('error', () => {})
  return {
    watch: (pid) => void reaper.stdin.write(`${pid}\n`),
    dismiss: () => {
      reaper.kill('SIGKILL')
      reaper.stdin.destroy()
    },
  }
}
