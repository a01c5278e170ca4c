import { seconds } from '../bootstrap/setup.mjs'

/** What the demo tells its user, on the stream that is for people. */
export interface Report {
  line(text?: string): void
  /** Does the work, then says that it was done, what came of it, and how long it took. */
  step<T>(title: string, work: () => Promise<T>, detail: (result: T) => string): Promise<T>
  /** A line that stands for how things are now; in a terminal the next one takes its place. */
  status(text: string): void
}

/** @param everyMs How often a status is written where lines cannot be replaced. */
export function createReport(stream: NodeJS.WriteStream, everyMs = 30_000): Report {
  let statusShown = false
  let statusAt = Number.NEGATIVE_INFINITY

  function line(text = ''): void {
    if (statusShown) stream.write('\r\x1b[K')
    statusShown = false
    stream.write(`${text}\n`)
  }

  async function step<T>(title: string, work: () => Promise<T>, detail: (result: T) => string): Promise<T> {
    const startedAt = performance.now()
    const print = (mark: string, text: string) =>
      line(`  ${mark} ${title.padEnd(24)} ${seconds(startedAt).padStart(7)}  ${text}`.trimEnd())
    try {
      const result = await work()
      print('✓', detail(result))
      return result
    } catch (error) {
      print('✗', '')
      throw error
    }
  }

  function status(text: string): void {
    if (stream.isTTY) {
      stream.write(`\r\x1b[K  ${text.slice(0, (stream.columns || 80) - 3)}`)
      statusShown = true
    } else if (performance.now() - statusAt >= everyMs) {
      statusAt = performance.now()
      line(`  ${text}`)
    }
  }

  return { line, step, status }
}
