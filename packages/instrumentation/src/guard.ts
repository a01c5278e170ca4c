import { diag } from '@opentelemetry/api'

const logger = diag.createComponentLogger({ namespace: '@throughline/instrumentation' })
const said = new Set<string>()
/** Texts that were said once are kept to be said no more; a fault that tells of each message would grow them for ever. */
const MAX_SAID = 1000

/** Warns once a process, however often it is met: by OpenTelemetry's own logger, which says nothing unless it is set. */
export function warnOnce(text: string): void {
  if (said.has(text) || said.size >= MAX_SAID) return
  said.add(text)
  logger.warn(text)
  process.emitWarning(text, { type: 'ThroughlineWarning', code: 'TL_INSTRUMENTATION' })
}

/**
 * Runs a part of the instrumentation. A fault in it, or in what the application's own SDK or hooks do in it, is told once
 * and never reaches the application: undefined, and the client goes on untraced.
 */
export function guarded<Result>(what: string, run: () => Result): Result | undefined {
  try {
    return run()
  } catch (error) {
    warnOnce(
      `${what} failed, and what it was for is not traced: ${error instanceof Error ? error.message : error}`,
    )
    return undefined
  }
}
