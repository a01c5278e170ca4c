import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'

test('an SDK that is required after the library was imported and used gets its spans', () => {
  const program = join(import.meta.dirname, '../programs/required-sdk.ts')
  const flags = ['--conditions=@throughline/source', '--disable-warning=ExperimentalWarning']
  const output = execFileSync(process.execPath, [...flags, program], { encoding: 'utf8' })
  assert.deepEqual(JSON.parse(output), ['send orders'])
})
