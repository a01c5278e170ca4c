// The package is not installed everywhere.
declare module '@confluentinc/kafka-javascript' {
  export const KafkaJS: import('../../support/confluent-kafka.ts').ConfluentModule['KafkaJS']
}
