/**
 * A gateway takes a sensor's readings, at QoS 1 and 2, by `handleMessage` and passes them on as alarms, which a desk
 * hears by a listener.
 * @param {Pick<typeof import('mqtt'), 'connect'>} mqtt
 */
exports.run = async ({ connect }) => {
  const prefix = String(process.env.TOPIC_PREFIX)
  /** @param {string} name */
  const client = (name) =>
    connect(String(process.env.MQTT_URL), { protocolVersion: 5, clientId: `${prefix}-${name}` })
  const [gateway, desk] = [client('gateway'), client('desk')]
  // Before it is connected: MQTT.js keeps it until then.
  gateway.publish(`${prefix}/hello`, 'offline')
  await Promise.all([gateway, desk].map((each) => answer((done) => each.once('connect', () => done()))))
  await answer((done) => gateway.subscribe(`${prefix}/+/reading`, { qos: 2 }, done))
  await answer((done) => desk.subscribe(`${prefix}/alarm`, done))

  gateway.handleMessage = (packet, callback) => {
    const { payload, properties } = /** @type {import('mqtt').IPublishPacket} */ (packet)
    gateway.publish(`${prefix}/alarm`, `${payload} ${properties?.userProperties?.unit}`)
    callback()
  }
  /** @type {string[]} */
  const alarms = []
  const heard = answer((done) => {
    desk.on('message', async (_topic, payload) => {
      await new Promise(setImmediate)
      if (alarms.push(String(payload)) === 2) done()
    })
  })
  const properties = { userProperties: { unit: 'C' } }
  for (const qos of /** @type {const} */ ([1, 2])) {
    await answer((done) => desk.publish(`${prefix}/7/reading`, `${qos}0`, { qos, properties }, done))
  }
  await heard
  for (const each of [gateway, desk]) await answer((done) => each.end(done))
  console.log(alarms.join())
}

/**
 * What a callback is told.
 * @param {(done: (error?: Error | null) => void) => void} ask
 */
function answer(ask) {
  return new Promise((resolve, reject) => {
    ask((error) => (error ? reject(error) : resolve(undefined)))
  })
}
