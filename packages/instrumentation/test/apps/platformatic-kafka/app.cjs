const kafka = require('@platformatic/kafka')
const { run } = require('./scenario.cjs')

run(kafka)
