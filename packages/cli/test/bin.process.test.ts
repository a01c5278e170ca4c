import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, test } from 'node:test'
import { bin, ended, serve, temporaryFolder } from './command.ts'

/** Prints the path of every Node that the command runs on. */
const tellNode =
  '--import=data:text/javascript,process.stderr.write(process.execPath+String.fromCharCode(10))'

/** The machine's own Node: the first one on PATH that is not the repository's. */
async function machinesNode(): Promise<string> {
  const path = (process.env.PATH ?? '').split(':').filter((folder) => !folder.includes('node_modules'))
  const child = spawn('node', ['-p', 'process.execPath'], { env: { ...process.env, PATH: path.join(':') } })
  const { code, stdout } = await ended(child)
  assert.equal(code, 0, 'a Node beside the repository’s own is on PATH: npm needs one')
  return stdout.trim()
}

describe('in a clone, on the Node that the machine has', () => {
  test("the command goes on as the repository's own Node", async () => {
    const env = { ...process.env, NODE_OPTIONS: tellNode }
    const child = spawn(await machinesNode(), [bin, '--version'], { env })
    const { code, stdout, stderr } = await ended(child)
    assert.equal(code, 0, stderr)
    assert.match(stdout, /^\d+\.\d+\.\d+\n$/)
    const own = join(`node_modules/node-${process.platform}-${process.arch}`, 'bin/node')
    assert.ok(stderr.trim().endsWith(own), stderr)
  })

  test('a signal to the command ends it in order, and its exit code is passed on', async () => {
    using folder = temporaryFolder()
    const args = ['explorer', '--listen', '127.0.0.1:0', '--otlp-http', '127.0.0.1:0', '--data', folder.path]
    await using explorer = serve(args, {}, await machinesNode())
    const [, url = ''] = await explorer.printed(/explorer {3}(http:\S+)/)
    assert.deepEqual(await explorer.end('SIGTERM'), { code: 0, signal: null })
    await assert.rejects(fetch(url), 'nothing listens there any more')
  })

  test('a failing command keeps its exit code', async () => {
    const { code } = await ended(spawn(await machinesNode(), [bin, 'validate']))
    assert.equal(code, 2)
  })
})

test("Node 22.15 and newer replace the process, so that its id is the command's own", async () => {
  using folder = temporaryFolder()
  const args = ['explorer', '--listen', '127.0.0.1:0', '--otlp-http', '127.0.0.1:0', '--data', folder.path]
  // Without the flags: the command has to start its sources first.
  await using explorer = serve(args, {}, process.execPath)
  const [, url = ''] = await explorer.printed(/explorer {3}(http:\S+)/)
  explorer.child.kill('SIGKILL')
  assert.deepEqual(await explorer.end(), { code: null, signal: 'SIGKILL' })
  await assert.rejects(fetch(url), 'the process that was killed is the one that listened')
})

describe('installed as a package', () => {
  function install(folder: string): string {
    const target = join(folder, 'bin/throughline.js')
    mkdirSync(dirname(target), { recursive: true })
    mkdirSync(join(folder, 'dist'))
    cpSync(bin, target)
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
    writeFileSync(join(folder, 'dist/main.js'), 'console.log("built", ...process.argv.slice(2))')
    return target
  }

  test('the built files are started', async () => {
    using folder = temporaryFolder()
    const { code, stdout } = await ended(spawn(process.execPath, [install(folder.path), 'a', 'b']))
    assert.equal(code, 0)
    assert.equal(stdout, 'built a b\n')
  })

  test('a Node that is too old is named, with what to do', async () => {
    using folder = temporaryFolder()
    // Stands for an older Node, which not every machine has: the check reads this and nothing else.
    const pretend = `--import=data:text/javascript,Object.defineProperty(process.versions,'node',{value:'22.21.9'})`
    const { code, stderr } = await ended(spawn(process.execPath, [pretend, install(folder.path)]))
    assert.equal(code, 1)
    assert.match(stderr, /^throughline: needs Node 22\.22 or newer/)
  })
})
