import { diag } from '@opentelemetry/api'
import { hasSdk } from '@throughline/core/tracing'

/** What is registered, by all copies of OpenTelemetry's API: the place is the same in all of its 1.x versions. */
export function registered(): object {
  const found: unknown = Reflect.get(globalThis, Symbol.for('opentelemetry.js.api.1'))
  return typeof found === 'object' && found !== null ? found : {}
}

/**
 * The version of another copy of OpenTelemetry's API that has registered something first, where it is too old for this one:
 * neither sees what the other registers, and neither says so.
 */
export function olderApiVersion(): string | undefined {
  const found = registered()
  if (!('version' in found)) return undefined
  const isShared = 'trace' in found ? hasSdk() : 'diag' in found || takesLogger()
  return isShared ? undefined : String(found.version)
}

/** Whether this copy may register: a logger is the one thing that can be taken back without a trace. */
function takesLogger(): boolean {
  const ignore = () => undefined
  const logger = { error: ignore, warn: ignore, info: ignore, debug: ignore, verbose: ignore }
  const isTaken = diag.setLogger(logger, { suppressOverrideMessage: true })
  if (isTaken) diag.disable()
  return isTaken
}
