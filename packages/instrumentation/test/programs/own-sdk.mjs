import { NodeSDK } from '@opentelemetry/sdk-node'

const sdk = new NodeSDK({ serviceName: 'own' })
sdk.start()
process.once('beforeExit', () => sdk.shutdown())
