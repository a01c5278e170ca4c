import assert from 'node:assert/strict'
import { test } from 'node:test'
import { didYouMean, nearest } from '../../src/config/nearest.ts'

test('the nearest name is one that differs by about a letter in three', () => {
  const names = ['topics', 'group', 'start', 'connection']
  assert.equal(nearest('topic', names), 'topics')
  assert.equal(nearest('gruop', names), 'group')
  assert.equal(nearest('Start', names), 'start')
  assert.equal(nearest('conection', names), 'connection')
  assert.equal(nearest('xyz', names), undefined)
  assert.equal(nearest('', names), undefined)
  assert.equal(nearest('a', []), undefined)
})

test('what is meant is said, or nothing', () => {
  assert.equal(didYouMean('tpoics', ['topics']), '; did you mean topics?')
  assert.equal(didYouMean('queue', ['topics']), '')
})
