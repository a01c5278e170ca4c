import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createTopicFilters } from '../src/topic-filters.ts'

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

  test('match any number of topics', () => {
    const subscribed = filters('jobs/+')
    for (let index = 0; index < 3000; index++) {
      assert.deepEqual(subscribed.placeOf(`jobs/${index}`).position, { pattern: 'jobs/+' })
    }
  })
})
