import assert from 'node:assert/strict'
import { test } from 'node:test'
import { journeyPath, parseRoute, searchPath } from '../src/route.ts'

test('any event id survives the address', () => {
  for (const id of ['e-1', 'a/b c?d=e&f#g', '100%', 'Zürich ⟿', '..']) {
    const path = journeyPath(id)
    assert.deepEqual(parseRoute(path, ''), { page: 'journey', id }, path)
  }
})

test('a broken escape in an address is taken as it stands', () => {
  assert.deepEqual(parseRoute('/journey/%E0%A4%A', ''), { page: 'journey', id: '%E0%A4%A' })
})

test('everything else is the list, with its search', () => {
  assert.deepEqual(parseRoute('/', ''), { page: 'list', query: '' })
  assert.deepEqual(parseRoute('/nowhere', ''), { page: 'list', query: '' })
  const path = searchPath('order.id=4711 & more')
  assert.deepEqual(parseRoute('/', path.slice(path.indexOf('?'))), {
    page: 'list',
    query: 'order.id=4711 & more',
  })
})
