import { randomUUID } from 'node:crypto'
import { createRequire } from 'node:module'
import type { TestContext } from 'node:test'
import type { IClientOptions, MqttClient, MqttClientEventCallbacks } from 'mqtt'

/** Address of the broker under test. A missing one is a failure, not a skip. */
export function mqttUrl(): string {
  const given = process.env.MQTT_URL
  if (given === undefined || given === '') {
    throw new Error('MQTT_URL is not set: run `npm test`, or start brokers with `npm run brokers`')
  }
  return given
}

/** As an application requires it; what is to wrap it has to be there before. */
export function loadMqtt(): typeof import('mqtt') {
  return createRequire(import.meta.url)('mqtt')
}

/** A client that is connected, by MQTT 5 where nothing else is said, until the test's end. */
export async function connect(t: TestContext, options: IClientOptions = {}): Promise<MqttClient> {
  const client = start(t, options)
  await next(client, 'connect')
  return client
}

/** What comes with the next such event. Not `once` of node:events, which fails with the errors of refused connections. */
export function next<Name extends keyof MqttClientEventCallbacks>(
  client: MqttClient,
  name: Name,
): Promise<Parameters<MqttClientEventCallbacks[Name]>> {
  const { promise, resolve } = Promise.withResolvers<Parameters<MqttClientEventCallbacks[Name]>>()
  const listener = (...given: Parameters<MqttClientEventCallbacks[Name]>) => resolve(given)
  client.once(name, listener as MqttClientEventCallbacks[Name])
  return promise
}

/** A client that may never be connected. */
export function start(t: TestContext, { host, port, ...options }: IClientOptions = {}): MqttClient {
  const url = host === undefined ? mqttUrl() : `mqtt://${host}:${port}`
  const client = loadMqtt().connect(url, { protocolVersion: 5, clientId: `app-${randomUUID()}`, ...options })
  t.after(() => new Promise<void>((resolve) => client.end(true, () => resolve())))
  return client
}

/** A topic of the test's own. */
export function uniqueTopic(): string {
  return `mqtt-${randomUUID()}`
}

/** Attributes that differ from run to run. */
export const OMIT = ['server.port', 'messaging.client.id', 'messaging.mqtt.packet_id', 'throughline.sent_at']

/** What all spans of publishing have. */
export const PUBLISH = {
  'messaging.system': 'mqtt',
  'server.address': '127.0.0.1',
  'messaging.operation.name': 'publish',
  'messaging.operation.type': 'send',
}

/** What all spans of handling have. */
export const PROCESS = {
  'messaging.system': 'mqtt',
  'messaging.operation.name': 'process',
  'messaging.operation.type': 'process',
  'server.address': '127.0.0.1',
}

/** Of a message that arrived with the time of its send. */
export const SENT_AT = { 'throughline.sent_at_source': 'header' }
