const mqtt = require('mqtt')
const { run } = require('./scenario.cjs')

run(mqtt)
