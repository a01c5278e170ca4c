const kafkajs = require('kafkajs')
const { run } = require('./scenario.cjs')

run(kafkajs)
