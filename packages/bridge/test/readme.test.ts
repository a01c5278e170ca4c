import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { parseConfig } from '../src/config/read.ts'

const FILE = new URL('../README.md', import.meta.url)

test('the example in the README is valid', () => {
  const yaml = /```yaml\n(.*?)```/s.exec(readFileSync(FILE, 'utf8'))?.[1] ?? ''
  const { routes } = parseConfig(yaml, 'README.md', { KAFKA_BROKERS: 'localhost:9092' })
  assert.deepEqual(
    routes.map(({ name }) => name),
    ['readings', 'devices'],
  )
})
