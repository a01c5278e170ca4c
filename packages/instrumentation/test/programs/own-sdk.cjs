const { NodeSDK } = require('@opentelemetry/sdk-node')

const sdk = new NodeSDK({ serviceName: 'own' })
sdk.start()
process.once('beforeExit', () => sdk.shutdown())
