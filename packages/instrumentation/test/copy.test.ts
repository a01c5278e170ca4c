import assert from 'node:assert/strict'
import { test } from 'node:test'
import { copyWith } from '../src/copy.ts'

test('a copy has what the object has, symbols too, but for what is replaced', () => {
  const mark = Symbol('mark')
  const given = Object.freeze({ value: 1, headers: 'old', [mark]: true })
  assert.deepEqual(copyWith(given, { headers: 'new' }), { value: 1, headers: 'new', [mark]: true })
  assert.equal(given.headers, 'old')
})

test('what an instance of an own class answers by getters, the copy has', () => {
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
  }
  assert.deepEqual(
    { ...copyWith(new Order(), { headers: {} }) },
    {
      key: 'k',
      value: 'order 7',
      partition: 2,
      headers: {},
    },
  )
})

test('an object without a prototype is copied as one with', () => {
  assert.deepEqual(copyWith(Object.assign(Object.create(null), { a: 1 }), { b: 2 }), { a: 1, b: 2 })
})
