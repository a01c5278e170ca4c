import { createRequire } from 'node:module'
import { sep } from 'node:path'
import { DiagConsoleLogger, DiagLogLevel, diag } from '@opentelemetry/api'
import { registerInstrumentations } from '@opentelemetry/instrumentation'
import { hasSdk } from '@throughline/core/tracing'
import { type ClientName, clientNames, createInstrumentations } from './all.ts'
import { guarded, warnOnce } from './guard.ts'
import { olderApiVersion } from './set-up/api-version.ts'
import { flushAtEnd } from './set-up/end.ts'
import { readEnvironment } from './set-up/environment.ts'
import { onFirstUse } from './set-up/first-use.ts'
import { hookModules } from './set-up/hooks.ts'
import { logLevelOf, withLogger } from './set-up/log.ts'
import { flushes, setUpSdk } from './set-up/sdk.ts'

/** Set in a process once it is registered, whichever copy of this package did it. */
const REGISTERED = Symbol.for('@throughline/instrumentation/register')

guarded('@throughline/instrumentation/register', register)

/** What `node --import @throughline/instrumentation/register` does. */
function register(): void {
  if (process.env.OTEL_SDK_DISABLED?.trim().toLowerCase() === 'true') {
    say('OTEL_SDK_DISABLED: nothing is traced')
    return
  }
  if (Reflect.has(globalThis, REGISTERED)) return
  Reflect.set(globalThis, REGISTERED, true)

  const { disabled, options } = readEnvironment(process.env)
  const names = clientNames.filter((name) => !disabled.has(name))
  warnOfLoaded(names)
  // Only when there is one for them: once there is an instance of OpenTelemetry's base class, each module stays what it was
  // when it was first required. An instrumentation of `node:http`, in a set-up of the application's that is loaded after
  // this and whose SDK requires it, would come too late.
  hookModules(names, () =>
    guarded('the instrumentations of clients', () => {
      const clients = Object.fromEntries([...disabled].map((name) => [name, { enabled: false }]))
      registerInstrumentations({ instrumentations: createInstrumentations({ ...options, clients }) })
    }),
  )
  onFirstUse(() => {
    if (hasSdk()) return
    const older = olderApiVersion()
    if (older !== undefined) {
      warnOnce(
        `nothing is traced: the application's OpenTelemetry is on version ${older} of @opentelemetry/api, and @throughline/instrumentation needs the API of SDK 3, 1.10. Update the application's SDK; npm ls @opentelemetry/api says who has which`,
      )
      return
    }
    guarded("setting OpenTelemetry's SDK up", () => {
      setUpSdk()
      flushAtEnd(flushes)
    })
  })
  const sdk = hasSdk()
    ? 'the SDK that is registered gets their spans'
    : 'without an SDK when the first client is made, one is set up from the OTEL_ variables'
  say(`tracing ${names.join(', ') || 'no client'}: ${sdk}`)
}

/** One line for whoever has asked to be told by OTEL_LOG_LEVEL. */
function say(text: string): void {
  const level = logLevelOf(process.env.OTEL_LOG_LEVEL)
  // A logger would have this copy of the API be the first that registers, and one of another version shut out.
  if (level === undefined || level === DiagLogLevel.NONE) return
  withLogger(new DiagConsoleLogger(), level, () => diag.info(`@throughline/instrumentation: ${text}`))
}

/** What was loaded before is found where it is required once more, not where it is in somebody's hands already. */
function warnOfLoaded(names: readonly ClientName[]): void {
  const files = Object.keys(createRequire(import.meta.url).cache)
  for (const name of names) {
    const folder = `${sep}node_modules${sep}${name.replace('/', sep)}${sep}`
    if (!files.some((file) => file.includes(folder))) continue
    warnOnce(
      `${name} was loaded before @throughline/instrumentation/register and may not be traced: start with node --import @throughline/instrumentation/register, before what loads it`,
    )
  }
}
