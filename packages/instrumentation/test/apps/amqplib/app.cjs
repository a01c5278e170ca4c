const { run } = require('./scenario.cjs')
const amqplib = require('amqplib')

run(amqplib)
