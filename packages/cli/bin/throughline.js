#!/usr/bin/env node
// The command as it is installed. Plain JavaScript that parses on Node 18, because whatever Node the machine has runs
// it: in a clone it goes on as the repository's own Node with the TypeScript sources, else it starts the built files.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import module from 'node:module'
import { constants } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const condition = '--conditions=@throughline/source'
const built = new URL('../dist/main.js', import.meta.url)
const sources = new URL('../src/main.ts', import.meta.url)

if (!existsSync(sources)) await startBuilt()
else if (process.execArgv.includes(condition)) await start(sources)
else startSources()

/** @param {URL} main */
async function start(main) {
  // Saves a third of the processor time of a start, from the second one on (Node 22.8).
  module.enableCompileCache?.()
  await import(main.href)
}

async function startBuilt() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  if (major > 22 || (major === 22 && minor >= 22)) await start(built)
  else fail(`needs Node 22.22 or newer, and this is ${process.version}: install one from https://nodejs.org`)
}

function startSources() {
  const root = resolve(dirname(fileURLToPath(import.meta.url)), '../../..')
  const node = join(root, `node_modules/node-${process.platform}-${process.arch}/bin/node`)
  if (!existsSync(node)) {
    fail(`the repository's own Node is not there (${node}): run "npm ci --include=optional" in ${root}`)
    return
  }
  const flags = [...process.execArgv, condition, '--disable-warning=ExperimentalWarning']
  const args = [...flags, fileURLToPath(import.meta.url), ...process.argv.slice(2)]
  // Replaced and not wrapped, where Node can (22.15): whoever kills this process id then kills the command itself.
  if (process.execve) process.execve(node, [node, ...args], process.env)
  else startBeside(node, args)
}

/**
 * @param {string} node
 * @param {string[]} args
 */
function startBeside(node, args) {
  const child = spawn(node, args, { stdio: 'inherit' })
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
    process.on(signal, () => {
      // A terminal sends Ctrl-C to the command as well; twice would read as impatience.
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal)
    })
  }
  child.on('error', (error) => fail(`${node} could not be started: ${error.message}`))
  child.on('exit', (code, signal) => process.exit(code ?? 128 + (signal ? constants.signals[signal] : 0)))
}

/** @param {string} message */
function fail(message) {
  process.stderr.write(`throughline: ${message}\n`)
  process.exitCode = 1
}
