const { run } = require('./scenario.cjs')
const { Connection } = require('rabbitmq-client')

run({ Connection })
