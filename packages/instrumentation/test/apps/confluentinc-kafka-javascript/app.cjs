const { KafkaJS } = require('@confluentinc/kafka-javascript')
const { run } = require('./scenario.cjs')

run(KafkaJS)
