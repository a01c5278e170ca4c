import assert from 'node:assert/strict'
import { test } from 'node:test'
import { copyWith } from '../../src/messages/copy.ts'

test('a copy has what the object has, symbols too, but for what is replaced', () => {
  const mark = Symbol('mark')
  const given = Object.freeze({ value: 1, headers: 'old', [mark]: true })
  assert.deepEqual(copyWith(given, { headers: 'new' }), { value: 1, headers: 'new', [mark]: true })
  assert.equal(given.headers, 'old')
})

class Base {
  get key() {
    return 'k'
  }
}
class Order extends Base {
  readonly #id = 7
  partition = 2
  get value() {
    return `order ${this.#id}`
  }
  get customer(): string {
    throw new Error('not loaded')
  }
}

test('what an instance of an own class answers by getters, the copy answers when it is asked', () => {
  const copy = copyWith(new Order(), { headers: {} })
  const { key, value, partition, headers } = copy
  assert.deepEqual(
    { key, value, partition, headers },
    { key: 'k', value: 'order 7', partition: 2, headers: {} },
  )
  assert.throws(() => copy.customer, { message: 'not loaded' })
  assert.deepEqual({ ...copy }, { partition: 2, headers: {} }, 'what is listed of it is what was')
})

test('what is replaced is not asked for', () => {
  const { customer } = copyWith(new Order(), { customer: 'loaded' })
  assert.equal(customer, 'loaded')
})

test('a getter of an object of no class may throw, too', () => {
  const given = {
    value: 1,
    get customer(): string {
      throw new Error('not loaded')
    },
  }
  const copy = copyWith(given, { headers: {} })
  assert.equal(copy.value, 1)
  assert.deepEqual(copy.headers, {})
  assert.throws(() => copy.customer, { message: 'not loaded' })
})

test('what may be set on an instance may be set on the copy', () => {
  class Options {
    acks = 1
    #timeout = 0
    get timeout() {
      return this.#timeout
    }
    set timeout(timeout) {
      this.#timeout = timeout
    }
  }
  const given = new Options()
  Object.freeze(given)
  const copy = copyWith(given, { messages: [] })
  copy.acks = 0
  copy.timeout = 5
  assert.deepEqual([copy.acks, copy.timeout], [0, 5])
})

test('an object without a prototype is copied as one with', () => {
  assert.deepEqual(copyWith(Object.assign(Object.create(null), { a: 1 }), { b: 2 }), { a: 1, b: 2 })
})
