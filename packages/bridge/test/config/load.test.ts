import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { loadConfig } from '../../src/config/load.ts'
import { ConfigError } from '../../src/config/problem.ts'

const folder = await mkdtemp(join(tmpdir(), 'throughline-config-'))
after(() => rm(folder, { recursive: true }))

test('a file that is not there, a folder and an enormous file are each one clear problem', async () => {
  const big = join(folder, 'big.yaml')
  await writeFile(big, `# ${'x'.repeat(1 << 20)}`)
  for (const [file, message] of [
    [join(folder, 'none.yaml'), /:1:1 cannot be read: ENOENT/],
    [folder, /:1:1 cannot be read: EISDIR/],
    [big, /:1:1 has 1048578 bytes; a configuration may have 1048576$/],
  ] as const) {
    await assert.rejects(loadConfig(file, {}), (error) => {
      assert.ok(error instanceof ConfigError)
      assert.match(error.message, message)
      assert.ok(error.message.startsWith(file))
      return true
    })
  }
})

test('a file with CRLF and a byte order mark has the same lines and columns', async () => {
  const file = join(folder, 'windows.yaml')
  await writeFile(file, '\ufeffconnections:\r\n  web: { type: htp }\r\nroutes: { }\r\n')
  await assert.rejects(
    loadConfig(file, {}),
    /windows\.yaml:2:16 connections\.web\.type: expected http, kafka, mqtt or rabbitmq, not htp/,
  )
})
