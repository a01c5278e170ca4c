import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createBudget } from '../src/budget.ts'
import { createLog } from '../src/log.ts'
import { createOutage } from '../src/outage.ts'
import { recordingLog } from './memory.ts'

function stream(isTTY: boolean) {
  const lines: string[] = []
  return { lines, isTTY, write: (line: string) => lines.push(line) > 0 }
}

test('a terminal gets sentences, everything else gets one JSON object a line', () => {
  const terminal = stream(true)
  createLog(terminal).warn('it rains', { mm: 3, where: undefined })
  assert.match(terminal.lines[0] ?? '', /^\d\d:\d\d:\d\d\.\d{3} warn: it rains \(mm=3\)\n$/)
  const pipe = stream(false)
  createLog(pipe).info('two\nlines', { mm: 3 })
  const { time, ...rest } = JSON.parse(pipe.lines[0] ?? '')
  assert.deepEqual(rest, { level: 'info', message: 'two\nlines', mm: 3 })
  assert.equal(new Date(time).toISOString(), time)
  assert.equal(pipe.lines[0]?.split('\n').length, 2)
})

test('no line shows a secret', () => {
  const pipe = stream(false)
  createLog(pipe, { secrets: ['hunter2', 'p"q'] }).error('cannot use mqtt://me:hunter2@h with p"q', {
    cause: 'hunter2',
  })
  assert.doesNotMatch(pipe.lines.join(''), /hunter2|p\\?"q/)
  assert.doesNotThrow(() => JSON.parse(pipe.lines[0] ?? ''))
})

test('a thing that is away is said once, again after half a minute or with another cause, and when it is back', () => {
  const log = recordingLog()
  let now = 0
  const outage = createOutage(log, 'it', () => now)
  outage.up()
  for (now = 0; now < 65_000; now += 1000) outage.down(new Error('refused'))
  outage.down(new Error('reset'))
  outage.up()
  outage.up()
  assert.deepEqual(log.lines, [
    'warn it: refused; trying again until it returns',
    'warn it: still after 30 s: refused; trying again until it returns',
    'warn it: still after 60 s: refused; trying again until it returns',
    'warn it: still after 65 s: reset; trying again until it returns',
    'info it: is back after 65 s',
  ])
})

test('a flood is cut, and how much was kept back is said with what follows', () => {
  let now = 0
  const said: number[] = []
  const say = createBudget(2, 1000, () => now)
  for (let index = 0; index < 10; index++) say((keptBack) => said.push(keptBack))
  assert.deepEqual(said, [0, 0])
  now = 1000
  say((keptBack) => said.push(keptBack))
  assert.deepEqual(said, [0, 0, 8])
})
