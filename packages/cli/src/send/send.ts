import type { Outlet, Sent } from '../destination/outlet.ts'
import { CommandError, exitCodeOf } from '../failure.ts'
import type { Outgoing } from './messages.ts'

/** Messages in flight together. */
const TOGETHER = 500

/**
 * Sends all, and tells of each that was confirmed, in order. Stops at the first that is not valid or was not confirmed,
 * after what was under way with it. Throws that one's error, which says how many were sent before.
 */
export async function sendEach(
  outlet: Outlet,
  messages: Iterable<Outgoing> | AsyncIterable<Outgoing>,
  onSent: (sent: Sent) => void,
): Promise<void> {
  let count = 0
  let together: Outgoing[] = []

  async function flush(): Promise<void> {
    const sending = together
    together = []
    if (sending.length === 0) return
    const sent = await outlet.send(sending.map(({ message }) => message))
    for (const each of sent) {
      if (!each.result.ok) continue
      count++
      onSent(each)
    }
    const failed = sent.findIndex(({ result }) => !result.ok)
    const result = sent[failed]?.result
    if (result !== undefined && !result.ok) throw failure(result.error, sending[failed]?.from ?? '', count)
  }

  try {
    for await (const message of messages) {
      together.push(message)
      if (together.length >= TOGETHER) await flush()
    }
  } catch (error) {
    // What came before a line that is not valid was not at fault.
    await flush()
    throw error
  }
  await flush()
}

function failure(error: Error & { readonly code: string }, from: string, count: number): Error {
  if (from === '') return error
  const before = count === 0 ? 'none was sent' : `${count} ${count === 1 ? 'was' : 'were'} sent`
  return new CommandError(error.code, `${from}: ${error.message}; ${before}`, exitCodeOf(error), {
    cause: error,
  })
}
