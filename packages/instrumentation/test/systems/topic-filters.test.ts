import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createTopicFilters } from '../../src/systems/topic-filters.ts'

const UNKNOWN = { position: { unbounded: true }, group: undefined }

function filters(...subscribed: readonly string[]) {
  const made = createTopicFilters()
  made.add(subscribed)
  return made
}

describe('the filters of a client', () => {
  test('name a topic by the one filter with wildcards that matches it', () => {
    const subscribed = filters('sensors/+/reading', 'alarms/#')
    const named = (pattern: string) => ({ position: { pattern }, group: undefined })
    assert.deepEqual(subscribed.placeOf('sensors/7/reading'), named('sensors/+/reading'))
    assert.deepEqual(subscribed.placeOf('alarms'), named('alarms/#'))
    assert.deepEqual(subscribed.placeOf('alarms/fire/2'), named('alarms/#'))
  })

  test('leave a topic its own name where one of them is that name', () => {
    assert.deepEqual(filters('sensors/#', 'sensors/7').placeOf('sensors/7'), {
      position: {},
      group: undefined,
    })
  })

  test('know no name of a topic that none or several of them match', () => {
    const subscribed = filters('sensors/+/reading', 'sensors/#', 'sensors/7/+')
    assert.deepEqual(subscribed.placeOf('sensors/7/reading'), UNKNOWN)
    assert.deepEqual(subscribed.placeOf('pumps/7'), UNKNOWN)
    assert.deepEqual(filters('sensors/+').placeOf('sensors/7/reading'), UNKNOWN)
  })

  test('do not match topics of the broker by a wildcard at their beginning', () => {
    assert.deepEqual(filters('#', '+/uptime').placeOf('$SYS/uptime'), UNKNOWN)
    assert.deepEqual(filters('$SYS/#').placeOf('$SYS/uptime').position, { pattern: '$SYS/#' })
  })

  test('tell the share of a shared subscription', () => {
    const subscribed = filters('$share/workers/jobs/+', '$share/mail/outbox')
    assert.deepEqual(subscribed.placeOf('jobs/1'), { position: { pattern: 'jobs/+' }, group: 'workers' })
    assert.deepEqual(subscribed.placeOf('outbox'), { position: {}, group: 'mail' })
  })

  test('count from the next message on, as those that were given up', () => {
    const subscribed = filters('jobs/+')
    assert.deepEqual(subscribed.placeOf('jobs/1').position, { pattern: 'jobs/+' })
    subscribed.add(['jobs/#'])
    assert.deepEqual(subscribed.placeOf('jobs/1'), UNKNOWN)
    subscribed.remove(['jobs/+'])
    assert.deepEqual(subscribed.placeOf('jobs/1').position, { pattern: 'jobs/#' })
  })

  test('that are the same in several shares are given up one by one', () => {
    const subscribed = filters('$share/one/jobs/+', '$share/two/jobs/+', 'jobs/1', '$share/one/jobs/1')
    assert.deepEqual(subscribed.placeOf('jobs/2').position, { pattern: 'jobs/+' })
    subscribed.remove(['$share/one/jobs/+', 'jobs/1'])
    assert.deepEqual(subscribed.placeOf('jobs/2'), { position: { pattern: 'jobs/+' }, group: 'two' })
    assert.deepEqual(subscribed.placeOf('jobs/1'), { position: {}, group: 'one' })
    subscribed.remove(['$share/two/jobs/+', '$share/one/jobs/1', 'never/subscribed'])
    assert.deepEqual(subscribed.placeOf('jobs/2'), UNKNOWN)
    assert.deepEqual(subscribed.placeOf('jobs/1'), UNKNOWN)
  })

  test('may begin with one another, and have levels without a name', () => {
    const subscribed = filters('a/#', 'a/+/c/#', '/+', '+/+/x/')
    const positions = (...topics: readonly string[]) =>
      topics.map((topic) => subscribed.placeOf(topic).position)
    assert.deepEqual(positions('a', 'a/b', '/b', 'b//x/'), [
      { pattern: 'a/#' },
      { pattern: 'a/#' },
      { pattern: '/+' },
      { pattern: '+/+/x/' },
    ])
    const unknown = { unbounded: true }
    assert.deepEqual(positions('a/b/c', 'a/b/c/d', 'b//x', '/b/c'), [unknown, unknown, unknown, unknown])
    subscribed.remove(['a/#'])
    assert.deepEqual(positions('a/b/c', 'a/b'), [{ pattern: 'a/+/c/#' }, unknown])
  })

  test('are any number, and so are their topics', () => {
    const names = Array.from({ length: 3000 }, (_, index) => `jobs/${index}`)
    const subscribed = filters(...names, ...names.map((name) => `${name}/+/done`))
    for (const name of names) {
      assert.deepEqual(subscribed.placeOf(name).position, {})
      assert.deepEqual(subscribed.placeOf(`${name}/1/done`).position, { pattern: `${name}/+/done` })
    }
  })
})
