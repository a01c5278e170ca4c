export { AmqplibInstrumentation } from './clients/amqplib.ts'
export { KafkaJsInstrumentation } from './clients/kafkajs.ts'
export type { ClientInstrumentationConfig, MessageHook, MessageInfo } from './options.ts'
export { messageContext } from './processes.ts'
