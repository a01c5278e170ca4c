import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { runProgram } from '../support/program.ts'

const file = join(import.meta.dirname, '../programs/mqtt-rejects.cjs')

test('what a listener for messages of MQTT.js leaves unhandled is unhandled as it was, and on its span', async () => {
  const bare = await runProgram(file, { nodeArgs: [] })
  assert.deepEqual([bare.stdout, bare.spans.length], ['unhandled: RangeError: nobody handles orders\n', 0])
  const { stdout, stderr, exitCode, spans } = await runProgram(file)
  assert.deepEqual([stdout, stderr, exitCode], [bare.stdout, bare.stderr, bare.exitCode])
  assert.deepEqual(
    spans.map(({ name, status }) => [name, status.message]),
    [['process orders', 'nobody handles orders']],
  )
})
