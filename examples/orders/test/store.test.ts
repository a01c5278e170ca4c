import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { openStore } from '../src/store.ts'

const order = (orderId: string) => ({ orderId, sku: 'A-1', quantity: 2, cents: 3980 })

test('an order is unpublished until it is said to be out, also after a restart', (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'throughline-orders-'))
  context.after(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'not-there-yet', 'orders.db')
  {
    using store = openStore(file)
    for (const id of ['4711', '4712']) store.save(order(id))
    store.published('4711')
  }
  using store = openStore(file)
  assert.deepEqual(store.unpublished(), [order('4712')])
  assert.deepEqual(store.find('4711'), order('4711'))
  assert.equal(store.find('4713'), undefined)
  assert.throws(() => store.save(order('4711')), /UNIQUE/)
})
