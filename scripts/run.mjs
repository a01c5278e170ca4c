// Runs a task of the repository on its own Node, after setting up what the task needs. Plain JavaScript: it is what
// a fresh clone starts with, under whatever Node the machine has.
import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { delimiter, join } from 'node:path'

/** @type {Record<string, string[]>} */
const tasks = {
  demo: ['packages/cli/bin/throughline.js', 'demo'],
  test: ['scripts/test.ts'],
  check: ['scripts/check.ts'],
  build: ['scripts/build.ts'],
  bench: ['bench/run.ts'],
  brokers: ['scripts/brokers.ts'],
  screenshot: ['scripts/screenshot.ts'],
  docs: ['docs/generate.ts'],
}

if (Number(process.versions.node.split('.')[0]) < 18) {
  process.stderr.write(
    `Node ${process.version} is too old to set this repository up: it takes Node 18 or newer.\n` +
      'To put it right: install a newer one (Debian: apt-get install nodejs npm; macOS: brew install node).\n',
  )
  process.exit(1)
}

const [task = '', ...args] = process.argv.slice(2)
const command = tasks[task]
if (!command) {
  process.stderr.write(`Usage: node scripts/run.mjs ${Object.keys(tasks).join('|')} [arguments]\n`)
  process.exit(2)
}

const { setUp } = await import('./bootstrap.mjs')
const { endingWithUs } = await import('./bootstrap/command.mjs')
const { cacheBin, repository } = await import('./bootstrap/paths.mjs')
const { ownNode } = await import('./bootstrap/packages.mjs')

if (!(await setUp(task, args))) process.exit(1)

const [script = '', ...given] = command
const flags = ['--conditions=@throughline/source', '--disable-warning=ExperimentalWarning']
const path = [join(repository, 'node_modules/.bin'), cacheBin(), process.env.PATH].join(delimiter)
const [program, ...rest] = endingWithUs('TERM', [
  ownNode(),
  ...flags,
  join(repository, script),
  ...given,
  ...args,
])
const child = spawn(program, rest, { stdio: 'inherit', env: { ...process.env, PATH: path } })

for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
  process.on(signal, () => {
    // A terminal sends Ctrl-C to the task as well; twice would read as impatience.
    if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal)
  })
}
child.on('error', (error) => {
  process.stderr.write(`${ownNode()} could not be started: ${error.message}\n`)
  process.exit(1)
})
child.on('exit', (code, signal) => process.exit(code ?? 128 + (signal ? constants.signals[signal] : 0)))
