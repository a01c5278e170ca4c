import { once } from 'node:events'

/** The next rejection that nobody handles, in place of the test runner's own look at it. */
export async function unhandledRejection(): Promise<unknown> {
  const listeners = process.listeners('unhandledRejection')
  process.removeAllListeners('unhandledRejection')
  const [reason] = await once(process, 'unhandledRejection')
  for (const listener of listeners) process.on('unhandledRejection', listener)
  return reason
}
