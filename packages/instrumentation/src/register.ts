import { registerInstrumentations } from '@opentelemetry/instrumentation'
import { clientNames, createInstrumentations } from './all.ts'
import { flushAtEnd } from './end.ts'
import { onFirstUse } from './first-use.ts'
import { hookImports } from './hooks.ts'
import { hasSdk, registeredTracers, setUpSdk } from './sdk.ts'

hookImports(clientNames)
registerInstrumentations({ instrumentations: createInstrumentations(), tracerProvider: registeredTracers })
onFirstUse(() => {
  if (hasSdk()) return
  setUpSdk()
  flushAtEnd()
})
