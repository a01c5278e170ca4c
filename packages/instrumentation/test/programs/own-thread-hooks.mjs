import { register } from 'node:module'

// As OpenTelemetry's documentation has it.
register('@opentelemetry/instrumentation/hook.mjs', import.meta.url)
