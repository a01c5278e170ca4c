import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { parseConfig } from '../src/config/read.ts'
import { configReference } from '../src/config/reference.ts'

const FILE = new URL('../README.md', import.meta.url)
const MARK = '<!-- made from the schema: npm test says when it is old -->\n'

test('the reference in the README is that of the schema', () => {
  const text = readFileSync(FILE, 'utf8')
  const end = text.indexOf(MARK) + MARK.length
  const current = text.slice(0, end) + configReference()
  if (process.env.UPDATE_DOCS) writeFileSync(FILE, current)
  else assert.equal(text, current, 'run it again with UPDATE_DOCS=1')
})

test('the example in the README is valid', () => {
  const yaml = /```yaml\n(.*?)```/s.exec(readFileSync(FILE, 'utf8'))?.[1] ?? ''
  const { routes } = parseConfig(yaml, 'README.md', { KAFKA_BROKERS: 'localhost:9092' })
  assert.deepEqual(
    routes.map(({ name }) => name),
    ['readings', 'devices'],
  )
})
