import { randomUUID } from 'node:crypto'
import { describe } from 'node:test'
import { mqtt } from '@throughline/mqtt'
import { brokers } from '../support/pipeline.ts'
import { testDirections, type Wire } from './support/directions.ts'
import { python } from './support/program.ts'

const wire: Wire = {
  transport: 'mqtt',
  async subscribe(handler) {
    const { mqttUrl } = brokers()
    const topic = `interop/${randomUUID()}`
    const broker = mqtt({ url: mqttUrl })
    await broker.subscribe({ topics: [topic] }, handler)
    return { producerArgs: [mqttUrl, topic], [Symbol.asyncDispose]: () => broker.close() }
  },
  async route(count) {
    const { mqttUrl } = brokers()
    const topic = `interop/${randomUUID()}`
    return {
      consumerArgs: [mqttUrl, topic, String(count)],
      publisher: () => mqtt({ url: mqttUrl }).publisher({ topic }),
    }
  },
}

describe('MQTT and Python: paho-mqtt', () => testDirections('Python', python, wire))
