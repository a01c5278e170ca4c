import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { isExecutable, run, which } from './command.mjs'
import { cacheFolder, repository, workFolder } from './paths.mjs'
import { SetupError } from './setup.mjs'

const programs = join(repository, 'tests/interop')
const orWithout = 'or leave these tests out: THROUGHLINE_SKIP_INTEROP=1 npm test'

/** Whether the tests with clients of other languages are left out, because somebody has no Python or Go. */
export const withoutInterop = () => process.env.THROUGHLINE_SKIP_INTEROP === '1'

/** The Python of the environment that holds the libraries of tests/interop/python. */
export const interopPython = () => join(pythonHome(), 'bin/python')

/** The program made of tests/interop/go. */
export const interopGo = () => join(goHome(), 'interop')

// Named by what they are made of: a change of the requirements or sources makes a new one beside the old.
const pythonHome = () =>
  join(cacheFolder(), `interop-python-${hashOf(join(programs, 'python'), ['requirements.txt'])}`)
const goHome = () => {
  const folder = join(programs, 'go')
  return join(cacheFolder(), `interop-go-${hashOf(folder, readdirSync(folder).sort())}`)
}

/** @type {import('./setup.mjs').Thing} */
export const python = {
  title: 'Python libraries',
  needs: [],
  present: () => (existsSync(interopPython()) ? pythonHome() : undefined),
  async provide() {
    const base = await findPython()
    const work = workFolder('interop-python')
    try {
      await run(base, ['-m', 'venv', work])
      const requirements = join(programs, 'python/requirements.txt')
      const options = ['--quiet', '--disable-pip-version-check', '--require-hashes', '--only-binary=:all:']
      await run(join(work, 'bin/python'), ['-m', 'pip', 'install', ...options, '-r', requirements])
      replace(work, pythonHome())
      return `by pip to ${pythonHome()}`
    } finally {
      rmSync(work, { recursive: true, force: true })
    }
  },
}

/** @type {import('./setup.mjs').Thing} */
export const go = {
  title: 'Go program',
  needs: [],
  present: () => (isExecutable(interopGo()) ? goHome() : undefined),
  async provide() {
    const compiler = await findGo()
    const work = workFolder('interop-go')
    const kept = join(cacheFolder(), 'go')
    try {
      await run(compiler, ['build', '-mod=readonly', '-buildvcs=false', '-o', join(work, 'interop'), '.'], {
        cwd: join(programs, 'go'),
        // -modcacherw: removing the cache folder is to need nothing but rm. No compiler of C, no other Go than this.
        env: {
          GOFLAGS: '-modcacherw',
          GOMODCACHE: join(kept, 'mod'),
          GOCACHE: join(kept, 'build'),
          GOTOOLCHAIN: 'local',
          GOWORK: 'off',
          CGO_ENABLED: '0',
        },
      })
      replace(work, goHome())
      return `by go build to ${goHome()}`
    } finally {
      rmSync(work, { recursive: true, force: true })
    }
  },
}

/** A Python with venv and pip that is new enough. @returns {Promise<string>} */
async function findPython() {
  const names = ['python3', ...[14, 13, 12, 11, 10, 9].map((minor) => `python3.${minor}`)]
  const found = [...new Set([...names.map(which), '/usr/bin/python3'])].filter(
    (path) => path && isExecutable(path),
  )
  const script = 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 9))'
  for (const path of found) {
    if (path && (await succeeds(path, ['-c', script]))) return path
  }
  const why = found.length === 0 ? 'none was found' : `${found.join(', ')}: too old, or without venv`
  const fix = `install it (Debian: apt-get install python3 python3-venv; macOS: brew install python); ${orWithout}`
  throw new SetupError('Python 3.9 or newer with venv, for tests/interop', why, fix)
}

/** A Go that is new enough. @returns {Promise<string>} */
async function findGo() {
  const usual = ['/usr/local/go/bin/go', '/usr/lib/go/bin/go', join(homedir(), 'go/bin/go')]
  const found = [...new Set([which('go'), ...usual])].filter((path) => path && isExecutable(path))
  const versions = []
  for (const path of found) {
    if (!path) continue
    const version = await run(path, ['env', 'GOVERSION'], { env: { GOTOOLCHAIN: 'local' } }).catch(() => '')
    const [, minor] = /^go1\.(\d+)/.exec(version.trim()) ?? []
    if (Number(minor ?? 0) >= 22) return path
    versions.push(`${path} is ${version.trim() || 'broken'}`)
  }
  const why = versions.length === 0 ? 'none was found' : versions.join(', ')
  throw new SetupError(
    'Go 1.22 or newer, for tests/interop',
    why,
    `install it from go.dev/dl (macOS: brew install go); ${orWithout}`,
  )
}

/**
 * @param {string} command
 * @param {string[]} args
 */
const succeeds = (command, args) =>
  run(command, args).then(
    () => true,
    () => false,
  )

/**
 * The folder appears complete or not at all. One that is there already is broken: it was not present.
 *
 * @param {string} from
 * @param {string} to
 */
export function replace(from, to) {
  rmSync(to, { recursive: true, force: true })
  renameSync(from, to)
}

/**
 * A short name of what files have in them.
 *
 * @param {string} folder
 * @param {readonly string[]} files
 */
export function hashOf(folder, files) {
  const hash = createHash('sha256')
  for (const file of files) hash.update(`${file}\0`).update(readFileSync(join(folder, file)))
  return hash.digest('hex').slice(0, 12)
}
