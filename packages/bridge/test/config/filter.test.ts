import assert from 'node:assert/strict'
import { test } from 'node:test'
import { filterOf, filtersOverlap } from '../../src/config/filter.ts'
import { parseTemplate } from '../../src/template.ts'

test('filters overlap where some topic matches both', () => {
  const pairs: [string, string, boolean][] = [
    ['a/b', 'a/b', true],
    ['a/b', 'a/c', false],
    ['a/+', 'a/b', true],
    ['a/+', 'a/b/c', false],
    ['a/#', 'a', true],
    ['a/#', 'a/b/c', true],
    ['#', 'x', true],
    ['+/b/#', 'a/+', true],
    ['+/b/#', 'a/c/d', false],
    ['a/+/c', 'a/b/+', true],
  ]
  for (const [a, b, expected] of pairs) {
    assert.equal(filtersOverlap(a, b), expected, `${a} and ${b}`)
    assert.equal(filtersOverlap(b, a), expected, `${b} and ${a}`)
  }
})

test('a template is the filter of all topics that it can make', () => {
  assert.equal(filterOf(parseTemplate('sensors/{{ event.subject }}/x').parts), 'sensors/+/x')
  assert.equal(filterOf(parseTemplate('sensors/s-{{ event.subject }}').parts), 'sensors/+')
})
