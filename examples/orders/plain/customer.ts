// Customers: --burst orders at once, then --rate a second. Prints the number of each order that was taken.
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { order } from '../src/events.ts'
import { ended, log } from './service.ts'

const { values } = parseArgs({
  options: {
    to: { type: 'string', default: process.env.ORDERS_URL ?? 'http://127.0.0.1:8083/orders' },
    burst: { type: 'string', default: '1' },
    /** Orders a second; 0: none after the burst. */
    rate: { type: 'string', default: '1' },
  },
})
const rate = Number(values.rate)
const burst = Number(values.burst)
if (!(rate >= 0) || !(burst >= 0)) throw new Error('--burst and --rate must be numbers of at least 0')

const skus = ['A-1', 'A-2', 'B-1', 'C-7']
let count = 0

async function buy(): Promise<void> {
  const sku = skus[count % skus.length]
  const quantity = 1 + (count++ % 3)
  const body = JSON.stringify({ sku, quantity, cents: quantity * 1990 })
  const headers = { 'content-type': 'application/json' }
  try {
    const response = await fetch(values.to, { method: 'POST', headers, body })
    const answer: unknown = await response.json()
    if (response.status === 201) console.log(order.parse(answer).orderId)
    else log(`an order was answered ${response.status}: ${JSON.stringify(answer)}`)
  } catch (error) {
    log(`an order was not taken: ${error}`)
  }
}

const stop = new AbortController()
void ended().then(() => stop.abort())
// The first one alone, so that it has the first number.
if (burst > 0) await buy()
let left = burst - 1
const buyers = Array.from({ length: 16 }, async () => {
  while (left-- > 0 && !stop.signal.aborted) await buy()
})
await Promise.all(buyers)
while (rate > 0 && !stop.signal.aborted) {
  await pause(1000 / rate, undefined, { signal: stop.signal }).catch(() => {})
  if (!stop.signal.aborted) await buy()
}
