// OpenTelemetry for services that have nothing of Throughline in them: its NodeSDK, with its own instrumentations of HTTP.
// node --import @throughline/example-telemetry/node-sdk --import @throughline/instrumentation/register order.js
// All settings come from the environment: OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_SERVICE_NAME and the rest.
import { register } from 'node:module'
import { HttpInstrumentation } from '@opentelemetry/instrumentation-http'
import { UndiciInstrumentation } from '@opentelemetry/instrumentation-undici'
import { NodeSDK } from '@opentelemetry/sdk-node'

// Finds what is imported.
register('@opentelemetry/instrumentation/hook.mjs', import.meta.url)
const sdk = new NodeSDK({ instrumentations: [new HttpInstrumentation(), new UndiciInstrumentation()] })
sdk.start()
// A service that has closed what it uses ends by itself; the last spans go out before.
process.once('beforeExit', () => sdk.shutdown())
