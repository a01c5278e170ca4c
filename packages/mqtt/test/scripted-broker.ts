import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'

/** MQTT control packet types, by their name. */
const TYPES = {
  connect: 1,
  connack: 2,
  publish: 3,
  puback: 4,
  pubrec: 5,
  pubrel: 6,
  pubcomp: 7,
  subscribe: 8,
  suback: 9,
  pingreq: 12,
  pingresp: 13,
  disconnect: 14,
} as const
type Name = keyof typeof TYPES

/** One packet as it came over the wire. */
export interface Frame {
  readonly name: Name
  readonly flags: number
  /** What follows the fixed header. */
  readonly rest: Buffer
  /** All bytes of it. */
  readonly length: number
}

/** A peer that speaks MQTT 5 by the byte and does only what a test says: for what a real broker does not do on demand. */
export interface ScriptedBroker extends AsyncDisposable {
  readonly url: string
  /** Everything received, over all connections. */
  readonly received: Frame[]
  /** Answers to each packet, as bytes; replaces the default: CONNACK, SUBACK with QoS 1, PUBACK, PUBCOMP, PINGRESP. */
  on(name: Name, answer: (frame: Frame) => Buffer | null): void
  /** Sends bytes on all open connections. */
  send(...packets: readonly Buffer[]): void
  /** Resets all open connections. */
  cut(): void
  /** Closes all open connections in good order. */
  hangUp(): void
  /** Packet identifiers of the packets of one kind that were received. */
  ids(name: Name): number[]
}

export async function scriptedBroker(): Promise<ScriptedBroker> {
  const sockets = new Set<Socket>()
  const received: Frame[] = []
  const answers = new Map<Name, (frame: Frame) => Buffer | null>([
    ['connect', () => connack(0)],
    ['subscribe', ({ rest }) => packet('suback', 0, Buffer.from([rest[0] ?? 0, rest[1] ?? 0, 0, 1]))],
    ['publish', (frame) => ((frame.flags & 6) === 2 ? ack('puback', publishId(frame)) : null)],
    ['pubrel', ({ rest }) => ack('pubcomp', rest.readUInt16BE(0))],
    ['pingreq', () => packet('pingresp', 0, Buffer.alloc(0))],
  ])
  const server = createServer((socket) => {
    let pending: Buffer = Buffer.alloc(0)
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => undefined)
    socket.on('data', (chunk) => {
      pending = Buffer.concat([pending, chunk])
      for (let frame = parse(pending); frame !== null; frame = parse(pending)) {
        pending = pending.subarray(frame.length)
        received.push(frame)
        const answer = answers.get(frame.name)?.(frame)
        if (answer) socket.write(answer)
      }
    })
  })
  server.listen({ host: '127.0.0.1', port: 0 })
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no TCP address')

  function cut(): void {
    for (const socket of sockets) socket.resetAndDestroy()
  }

  return {
    url: `mqtt://127.0.0.1:${address.port}`,
    received,
    on: (name, answer) => void answers.set(name, answer),
    send(...packets) {
      for (const socket of sockets) socket.write(Buffer.concat(packets))
    },
    cut,
    hangUp() {
      for (const socket of sockets) socket.end()
    },
    ids: (name) =>
      received
        .filter((frame) => frame.name === name)
        .map((frame) => (name === 'publish' ? publishId(frame) : frame.rest.readUInt16BE(0))),
    async [Symbol.asyncDispose]() {
      cut()
      server.close()
      await once(server, 'close')
    },
  }
}

/** CONNACK; `properties` as bytes, without their length. */
export function connack(reasonCode: number, properties: readonly number[] = []): Buffer {
  return packet('connack', 0, Buffer.from([0, reasonCode, properties.length, ...properties]))
}

/** PUBACK, PUBREC, PUBREL or PUBCOMP. */
export function ack(name: Name, id: number, reasonCode = 0): Buffer {
  return packet(name, name === 'pubrel' ? 2 : 0, Buffer.from([id >> 8, id & 255, reasonCode, 0]))
}

/** PUBLISH; `properties` as bytes, without their length. */
export function publish(
  topic: string,
  payload: string,
  qos: 0 | 1 | 2,
  id = 0,
  dup = false,
  properties: readonly number[] = [],
): Buffer {
  const name = Buffer.from(topic)
  const identifier = qos === 0 ? [] : [id >> 8, id & 255]
  const rest = [
    Buffer.from([name.length >> 8, name.length & 255]),
    name,
    Buffer.from([...identifier, properties.length, ...properties]),
  ]
  return packet('publish', (dup ? 8 : 0) | (qos << 1), Buffer.concat([...rest, Buffer.from(payload)]))
}

export function disconnect(reasonCode: number): Buffer {
  return packet('disconnect', 0, Buffer.from([reasonCode, 0]))
}

export function packet(name: Name, flags: number, rest: Buffer): Buffer {
  const length: number[] = []
  let left = rest.length
  do {
    length.push((left & 127) | (left > 127 ? 128 : 0))
    left >>= 7
  } while (left > 0)
  return Buffer.concat([Buffer.from([(TYPES[name] << 4) | flags, ...length]), rest])
}

/** The topic of a PUBLISH, so that the bytes behind it can be found. */
export function publishTopic({ rest }: Frame): string {
  return rest.toString('utf8', 2, 2 + rest.readUInt16BE(0))
}

/** Its packet identifier; MQTT.js begins with a random one. */
export function publishId(frame: Frame): number {
  return frame.rest.readUInt16BE(2 + frame.rest.readUInt16BE(0))
}

/** The first whole packet in `bytes`, null where there is none yet. */
function parse(bytes: Buffer): Frame | null {
  let size = 0
  for (let index = 1; index <= 4; index++) {
    const byte = bytes[index]
    if (byte === undefined) return null
    size += (byte & 127) << (7 * (index - 1))
    if (byte < 128) {
      const length = 1 + index + size
      if (bytes.length < length) return null
      const first = bytes[0] ?? 0
      return {
        name: nameOf(first >> 4),
        flags: first & 15,
        rest: bytes.subarray(1 + index, length),
        length,
      }
    }
  }
  throw new Error('the client sent a remaining length of more than four bytes')
}

function nameOf(type: number): Name {
  for (const name of Object.keys(TYPES)) {
    if (isName(name) && TYPES[name] === type) return name
  }
  throw new Error(`the client sent a packet of type ${type}`)
}

function isName(text: string): text is Name {
  return Object.hasOwn(TYPES, text)
}
