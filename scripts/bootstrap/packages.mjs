import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { endingWithUs, run, which } from './command.mjs'
import { repository } from './paths.mjs'
import { SetupError } from './setup.mjs'

/**
 * The repository's own Node 24. The platform's package is taken straight: the link in node_modules/.bin is made of
 * whichever of the platform packages npm saw last.
 */
export const ownNode = () =>
  join(repository, `node_modules/node-${process.platform}-${process.arch}/bin/node`)

/**
 * Whether node_modules holds just what the lock file says, by npm's own record of what it installed: about 5 ms, where
 * asking npm takes seconds.
 *
 * @param {string} folder
 */
export function inLine(folder) {
  const wanted = readPackages(join(folder, 'package-lock.json'))
  const installed = readPackages(join(folder, 'node_modules/.package-lock.json'))
  if (!wanted || !installed) return false
  const differs = Object.entries(wanted).some(([path, entry]) => {
    if (!path.startsWith('node_modules/') && !path.includes('/node_modules/')) return false
    const found = installed[path]
    // Optional packages of other platforms are left out by npm.
    if (!found) return !entry.optional
    return (
      found.version !== entry.version ||
      found.integrity !== entry.integrity ||
      !existsSync(join(folder, path))
    )
  })
  return !differs && Object.keys(installed).every((path) => path in wanted)
}

/**
 * @param {string} file
 * @returns {Record<string, { version?: string, integrity?: string, optional?: boolean }> | undefined}
 */
function readPackages(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8')).packages
  } catch {
    return undefined
  }
}

/** @type {import('./setup.mjs').Thing} */
export const packages = {
  title: 'npm packages',
  needs: [],
  present: () => (inLine(repository) && existsSync(ownNode()) ? 'node_modules' : undefined),
  async provide() {
    const npm = which('npm')
    const fix = 'install npm 9 or newer beside Node (on Debian: apt-get install npm), then run this again'
    if (!npm) throw new SetupError('npm', 'it is not on PATH', fix)
    // The Node that development runs on is an optional package: a user's omit=optional would leave it out.
    // Left to itself after this process was killed, or told to end (it then rolls back), it would write beside the next one.
    const [command, ...args] = endingWithUs('KILL', [
      npm,
      'ci',
      '--include=dev',
      '--include=optional',
      '--no-audit',
      '--no-fund',
    ])
    await run(command, args, {
      cwd: repository,
    })
    if (existsSync(ownNode())) return 'npm ci'
    const name = `node-${process.platform}-${process.arch}`
    const why = `npm did not install the package ${name}, which holds it`
    const other = 'npm ci --include=optional (packages exist for Linux and macOS, x64 and arm64, with glibc)'
    throw new SetupError('Node 24', why, other)
  },
}
