import kafkajs, { Kafka } from 'kafkajs'
import scenario from './scenario.cjs'

// The class by its own name, the rest by the default.
await scenario.run({ Kafka, logLevel: kafkajs.logLevel })
