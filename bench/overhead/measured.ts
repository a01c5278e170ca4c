// The measured process: carries messages over one transport in one variant, as often as its parent asks, and answers
// with the CPU time that took. measured.ts <transport> <variant> <receiver of spans>
import { bare } from './bare.ts'
import { floor } from './floor.ts'
import { createCourier } from './link.ts'
import { ours } from './ours.ts'
import { startSdk } from './sdk.ts'
import type { Answer, Order, Variant } from './variant.ts'

const [transport = '', variant = '', sink = '', place = '{}'] = process.argv.slice(2)

const connects: Readonly<Record<Variant, typeof floor | undefined>> = {
  bare: bare[transport],
  plain: ours[transport],
  unsampled: ours[transport],
  sampled: ours[transport],
  floor,
}
const connect = connects[variant as Variant]
if (connect === undefined) throw new Error(`there is no ${variant} over ${transport}`)
const exports = variant === 'sampled' || variant === 'floor'
const sdk = exports || variant === 'unsampled' ? startSdk(sink, exports) : undefined
const courier = await createCourier(connect, JSON.parse(place))

async function measure({ count, bytes }: Order): Promise<Answer> {
  const body = new Uint8Array(bytes).fill(120)
  const expected = exports ? 2 * count : 0
  const spansBefore = (await sdk?.flush()) ?? 0
  const startedAt = performance.now()
  const before = process.cpuUsage()
  await courier.carry(count, body)
  const spans = ((await sdk?.flush(spansBefore + expected)) ?? 0) - spansBefore
  const { user, system } = process.cpuUsage(before)
  if (spans !== expected) throw new Error(`${spans} spans exported for ${count} messages`)
  return {
    cpuMicros: (user + system) / count,
    elapsedMs: performance.now() - startedAt,
    rssBytes: process.memoryUsage.rss(),
  }
}

process.on('message', (order: Order) => void measure(order).then((answer) => process.send?.(answer)))
process.on('disconnect', () => process.exit())
console.log('ready')
