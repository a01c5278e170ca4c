import { diag } from '@opentelemetry/api'

const logger = diag.createComponentLogger({ namespace: '@throughline/instrumentation' })
const said = new Set<string>()
/** Texts that were said once are kept to be said no more; a fault that tells of each message would grow them for ever. */
const MAX_SAID = 1000

/** Warns once a process, however often it is met: a warning of the process, and of OpenTelemetry's own logger where one is set. */
export function warnOnce(text: string): void {
  warnOnceOf(text, () => text)
}

/** `subject`: what is warned of, whatever the words are. Never throws, also where the application's logger does. */
function warnOnceOf(subject: string, textOf: () => string): void {
  if (said.has(subject) || said.size >= MAX_SAID) return
  said.add(subject)
  try {
    const text = textOf()
    process.emitWarning(text, { type: 'ThroughlineWarning', code: 'TL_INSTRUMENTATION' })
    logger.warn(text)
  } catch {}
}

/**
 * Runs a part of the instrumentation. A fault in it, or in what the application's own SDK or hooks do in it, is told once
 * and never reaches the application: undefined, and the client goes on untraced.
 */
export function guarded<Result>(what: string, run: () => Result): Result | undefined {
  try {
    return run()
  } catch (error) {
    warnOfFault(what, error)
    return undefined
  }
}

function warnOfFault(what: string, error: unknown): void {
  warnOnceOf(what, () => `${what} failed, and what it was for is not traced: ${errorOf(error).message}`)
}

/** Runs a hook of the application's. One that is async is not waited for, and what it rejects with goes no further either. */
export function guardedHook(what: string, run: () => unknown): void {
  const given = guarded(what, run)
  if (given instanceof Promise) given.catch((error: unknown) => warnOfFault(what, error))
}

/** Anything can be thrown, also what cannot be made a text. */
export function errorOf(thrown: unknown): Error {
  if (thrown instanceof Error) return thrown
  try {
    return new Error(String(thrown))
  } catch {
    return new Error('not an error, but a value that cannot be made a text')
  }
}
