const { connect } = require('mqtt')

process.on('unhandledRejection', (reason) => console.log(`unhandled: ${reason}`))
const client = connect('mqtt://127.0.0.1:9', { manualConnect: true, protocolVersion: 5 })
client.on('message', async (topic) => {
  throw new RangeError(`nobody handles ${topic}`)
})
client.emit('message', 'orders', Buffer.from('one'), {
  cmd: 'publish',
  topic: 'orders',
  payload: 'one',
  qos: 0,
  retain: false,
  dup: false,
})
