import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { globSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, before, describe, test } from 'node:test'
import { createTopics } from '@throughline/kafka'
import { type CodeBlock, codeBlocks } from './blocks.ts'

const root = join(import.meta.dirname, '..')
// The API reference has declarations alone.
const files = ['README.md', ...globSync('docs/**/*.md', { cwd: root, exclude: ['docs/api'] })].sort()
const blocks = files.flatMap((file) => codeBlocks(join(root, file)))
const { KAFKA_BROKERS: brokers, MQTT_URL: mqttUrl, AMQP_URL: amqpUrl } = process.env
let folder = ''

before(async () => {
  assert.ok(
    brokers && mqttUrl && amqpUrl,
    'KAFKA_BROKERS, MQTT_URL and AMQP_URL name the brokers: npm test sets them',
  )
  // Beside the docs and not under node_modules, where Node strips no types.
  folder = await mkdtemp(join(root, 'docs/.blocks-'))
  await createTopics({ brokers }, [
    { name: 'orders', partitions: 2 },
    { name: 'orders.dead', partitions: 1 },
  ])
})
after(() => rm(folder, { recursive: true, force: true }))

// A block that is a test reports as it would by itself.
const { NODE_TEST_CONTEXT: _, ...environment } = process.env

async function run(args: readonly string[]): Promise<{ code: number | null; output: string }> {
  const child = spawn(
    process.execPath,
    ['--conditions=@throughline/source', '--disable-warning=ExperimentalWarning', ...args],
    {
      cwd: root,
      env: environment,
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  )
  const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')])
  return { code, output: out + err }
}

const named = ({ file, line }: CodeBlock) => `${relative(root, file)}:${line}`

describe('every TypeScript block in the documentation runs as it stands', () => {
  for (const [index, block] of blocks.entries()) {
    if (block.language !== 'ts') continue
    test(named(block), { timeout: 60_000 }, async () => {
      const file = join(folder, `block-${index}.ts`)
      await writeFile(file, block.code)
      const { code, output } = await run([file])
      assert.equal(code, 0, output)
    })
  }
})

describe('every YAML block in the documentation is a valid configuration', () => {
  for (const [index, block] of blocks.entries()) {
    if (block.language !== 'yaml') continue
    test(named(block), async () => {
      const file = join(folder, `block-${index}.yaml`)
      await writeFile(file, block.code)
      const { code, output } = await run(['packages/cli/bin/throughline.js', 'validate', file])
      assert.equal(code, 0, output)
    })
  }
})
