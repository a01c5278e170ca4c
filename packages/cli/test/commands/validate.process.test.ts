import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { temporaryFolder, throughline } from '../command.ts'

const valid = `connections:
  web: { type: http, listen: "127.0.0.1:0" }
  kafka: { type: kafka, brokers: "\${BROKERS}" }
routes:
  readings:
    from: { connection: web, path: /events }
    to: { connection: kafka, topic: readings }
`

test('a valid file is said to be valid, its warnings are printed', async () => {
  using folder = temporaryFolder()
  const file = join(folder.path, 'bridge.yaml')
  writeFileSync(file, valid)
  const { code, stdout, stderr } = await throughline(['validate', file], { BROKERS: 'localhost:9092' })
  assert.equal(code, 0, stderr)
  assert.equal(stdout, '')
  assert.match(stderr, /warning: .*bridge\.yaml:6:\d+ routes\.readings\.from: HTTP has no order/)
  assert.match(stderr, /bridge\.yaml is valid: 1 route \(readings\)\n$/)
})

test('a wrong line is named by file, line and column, and the exit code is 2', async () => {
  using folder = temporaryFolder()
  const file = join(folder.path, 'bridge.yaml')
  writeFileSync(file, valid.replace('topic:', 'topics:'))
  const { code, stderr } = await throughline(['validate', file])
  assert.equal(code, 2)
  assert.match(
    stderr,
    /bridge\.yaml:3:\d+ connections\.kafka\.brokers: the environment variable BROKERS is not set/,
  )
  assert.match(
    stderr,
    /bridge\.yaml:7:\d+ routes\.readings\.to\.topics: is unknown here; did you mean topic\?/,
  )
  assert.match(stderr, /TL_CONFIG_INVALID/)
})

test('the schema is JSON Schema', async () => {
  const { code, stdout } = await throughline(['validate', '--schema'])
  assert.equal(code, 0)
  const schema: unknown = JSON.parse(stdout)
  assert.ok(typeof schema === 'object' && schema !== null && '$schema' in schema && 'properties' in schema)
})
