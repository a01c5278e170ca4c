// The order service: POST /orders saves the order in SQLite and publishes that it was created; GET /orders/{id} shows it.
// To Kafka by kafkajs.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import { parseArgs } from 'node:util'
import { ORDER_CREATED, type Order, orderRequest } from '../src/events.ts'
import { openStore } from '../src/store.ts'
import { CONTENT_TYPE, toJson } from './events.ts'
import { kafka, ORDERS } from './orders.ts'
import { ended, log } from './service.ts'

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: process.env.PORT ?? '8083' },
    /** SQLite file. */
    data: { type: 'string', default: process.env.ORDERS_DB ?? ':memory:' },
    /** The first order's number. */
    first: { type: 'string', default: '4711' },
  },
})
const MAX_BYTES = 16_384
const RETRY_MS = 2000

using store = openStore(values.data)
const producer = kafka.producer()
await producer.connect()
let next = Number(values.first)
/** Numbers of the orders that are being published. */
const underWay = new Set<string>()

/** Throws when it is not confirmed; it stays saved, and is published later. */
async function publish(data: Order): Promise<void> {
  const { orderId } = data
  // The id is the same however often it is published.
  const event = { id: `order-${orderId}`, type: ORDER_CREATED, source: '/order', subject: orderId, data }
  const message = { key: orderId, value: toJson(event), headers: { 'content-type': CONTENT_TYPE } }
  underWay.add(orderId)
  try {
    await producer.send({ topic: ORDERS, messages: [message] })
    store.published(orderId)
  } finally {
    underWay.delete(orderId)
  }
}

async function create(request: IncomingMessage): Promise<[status: number, body: object]> {
  if (Number(request.headers['content-length'] ?? MAX_BYTES + 1) > MAX_BYTES)
    return [413, { error: `an order has a content-length of at most ${MAX_BYTES} bytes` }]
  const asked = orderRequest.safeParse(jsonOf(await text(request)))
  if (!asked.success) {
    const [issue] = asked.error.issues
    return [400, { error: `${issue?.path.join('.') || 'body'}: ${issue?.message}` }]
  }
  while (store.find(String(next)) !== undefined) next++
  const saved = { ...asked.data, orderId: String(next++) }
  store.save(saved)
  await publish(saved).catch((error) => log(`order ${saved.orderId} is published later: ${error}`))
  return [201, saved]
}

function jsonOf(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}

async function answer(request: IncomingMessage): Promise<[status: number, body: object]> {
  const { method, url = '' } = request
  if (method === 'POST' && url === '/orders') return create(request)
  const [, orderId] = /^\/orders\/([\w-]{1,40})$/.exec(url) ?? []
  const found = method === 'GET' && orderId !== undefined ? store.find(orderId) : undefined
  return found === undefined ? [404, { error: 'no such order' }] : [200, found]
}

async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const [status, body] = await answer(request).catch((error): [number, object] => {
    log(String(error))
    return [500, { error: 'the order was not taken' }]
  })
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

const later = setInterval(() => {
  for (const waiting of store.unpublished()) {
    if (!underWay.has(waiting.orderId)) publish(waiting).catch(() => undefined)
  }
}, RETRY_MS)

const server = createServer((request, response) => void handle(request, response))
server.on('error', (error) => {
  log(error.message)
  process.exit(1)
})
server.listen(Number(values.port), '127.0.0.1', () => log(`listening on 127.0.0.1:${values.port}`))

await ended()
clearInterval(later)
const closed = new Promise((resolve) => server.close(resolve))
server.closeIdleConnections()
await closed
await producer.disconnect()
