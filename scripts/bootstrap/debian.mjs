import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { run, which } from './command.mjs'
import { cacheBin, cacheFolder, workFolder } from './paths.mjs'
import { SetupError, withLock } from './setup.mjs'

export const hasApt = () => which('apt-get') !== undefined && which('dpkg') !== undefined

/** The words that come before a command which needs root, or nothing where this user may not become root. */
async function asRoot() {
  if (process.getuid?.() === 0) return []
  if (!which('sudo')) return undefined
  return run('sudo', ['-n', 'true']).then(
    () => ['sudo', '-n'],
    () => undefined,
  )
}

/**
 * Installs packages with apt-get as root or by `sudo -n`. Only for packages that start no service.
 *
 * @param {string} what What they are for, for the message.
 * @param {readonly string[]} packages
 */
export async function aptInstall(what, packages) {
  const command = ['apt-get', 'install', '--yes', '--no-install-recommends', ...packages]
  const root = await asRoot()
  if (!root) {
    const why =
      'it is not installed, and this user may not install packages (not root, and sudo asks for a password)'
    throw new SetupError(what, why, `as root: ${command.join(' ')}`)
  }
  await withLock('apt-install', () =>
    findingPackages((options) => {
      const [name = '', ...args] = [...root, 'apt-get', ...options, ...command.slice(1)]
      // Another package manager at work is waited for instead of failing on its lock.
      return run(name, [...args, '-o', 'DPkg::Lock::Timeout=300'])
    }, root),
  )
}

/**
 * The first of some packages that this system's package lists have.
 *
 * @param {readonly string[]} packages
 */
export async function firstAvailable(packages) {
  const search = () => run('apt-cache', ['policy', ...packages])
  let policy = await search()
  if (!policy.includes('Candidate:')) {
    const root = await asRoot()
    if (root) await update(root)
    policy = await search()
  }
  return packages.find((name) => new RegExp(`^${name}:\\n.*\\n\\s+Candidate: \\d`, 'm').test(policy))
}

/**
 * Unpacks packages, with those of their dependencies that this system lacks, into the cache and writes a wrapper for
 * each command. Needs no root, starts no service and leaves the system as it was.
 *
 * @param {string} name The folder in the cache.
 * @param {readonly string[]} packages
 * @param {Record<string, string>} commands Command name → its path inside the packages.
 * @param {(root: string, home: string) => void} [move] Makes what was unpacked at `root` work at `home`.
 * @returns {Promise<string>} What was unpacked.
 */
export async function aptUnpack(name, packages, commands, move) {
  const folder = join(cacheFolder(), name)
  const work = workFolder(name)
  try {
    const missing = await findingPackages(async (options) => {
      const plan = await run('apt-get', [
        ...options,
        'install',
        '--simulate',
        '--no-install-recommends',
        ...packages,
      ])
      // Packages that are installed already are listed too: their files are needed to write the wrappers.
      const lacking = [...plan.matchAll(/^Inst (\S+)/gm)].map(([, found]) => found ?? '')
      const wanted = [...new Set([...packages, ...lacking])]
      // apt's own user may not write into a folder of this user's, and warns about it.
      await run('apt-get', [...options, '-o', 'APT::Sandbox::User=root', 'download', ...wanted], {
        cwd: work,
      })
      return wanted
    })
    const root = join(work, 'root')
    const archives = readdirSync(work).filter((file) => file.endsWith('.deb'))
    for (const archive of archives) {
      await run('dpkg', ['-x', join(work, archive), root])
      rmSync(join(work, archive))
    }
    relocateLinks(root, join(folder, 'root'))
    move?.(root, join(folder, 'root'))
    rmSync(folder, { recursive: true, force: true })
    renameSync(work, folder)
    for (const [command, path] of Object.entries(commands)) writeWrapper(command, join(folder, 'root'), path)
    return `${missing.length} packages unpacked to ${folder}`
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

/**
 * Does `work` with the system's package lists, and where they do not have a package or name a version that is gone,
 * once more with new ones: the system's as root, else lists of our own in the cache.
 *
 * @template T
 * @param {(aptOptions: string[]) => Promise<T>} work
 * @param {string[]} [root]
 * @returns {Promise<T>}
 */
async function findingPackages(work, root) {
  try {
    return await work([])
  } catch (error) {
    const output = error instanceof Error && 'output' in error ? String(error.output) : ''
    if (!/Unable to locate|no installation candidate|Can't find|404|Unable to fetch/.test(output)) throw error
  }
  return work(await update(root ?? (await asRoot())))
}

/** @type {Promise<string[]> | undefined} */
let updated

/**
 * Fetches new package lists, once: two apt-get that do so at a time spoil each other's.
 *
 * @param {string[] | undefined} root
 * @returns {Promise<string[]>} The options by which apt-get finds the new lists.
 */
function update(root) {
  updated ??= withLock('apt-update', async () => {
    if (root) {
      const [name = '', ...args] = [...root, 'apt-get', 'update', '-o', 'DPkg::Lock::Timeout=300']
      await run(name, args)
      return []
    }
    const folder = join(cacheFolder(), 'apt')
    mkdirSync(join(folder, 'lists', 'partial'), { recursive: true })
    mkdirSync(join(folder, 'cache', 'archives', 'partial'), { recursive: true })
    const options = ['-o', `Dir::State::lists=${folder}/lists`, '-o', `Dir::Cache=${folder}/cache`]
    await run('apt-get', [...options, 'update'])
    return options
  })
  return updated
}

/**
 * Points absolute links (`/etc/…`) at what was unpacked where that has the target.
 *
 * @param {string} root The unpacked tree.
 * @param {string} home Where it will stand.
 * @param {string} [folder]
 */
function relocateLinks(root, home, folder = root) {
  for (const entry of readdirSync(folder)) {
    const path = join(folder, entry)
    const kind = lstatSync(path)
    if (kind.isDirectory()) relocateLinks(root, home, path)
    if (!kind.isSymbolicLink()) continue
    const target = resolve('/', relative(root, dirname(path)), readlinkSync(path))
    if (!existsSync(join(root, target))) continue
    rmSync(path)
    symlinkSync(join(home, target), path)
  }
}

/**
 * @param {string} command
 * @param {string} root
 * @param {string} path
 */
function writeWrapper(command, root, path) {
  const libraries = ['usr/lib', 'lib']
    .map((folder) => join(root, folder))
    .filter((folder) => existsSync(folder))
    .flatMap((folder) => [folder, ...readdirSync(folder).map((sub) => join(folder, sub))])
    .filter(
      (folder) => lstatSync(folder).isDirectory() && readdirSync(folder).some((file) => file.includes('.so')),
    )
  mkdirSync(cacheBin(), { recursive: true })
  const file = join(cacheBin(), command)
  const draft = `${file}.${process.pid}`
  // exec: the process that is started is the program itself, so that its id can be kept and signalled.
  const lines = [
    '#!/bin/sh',
    `export LD_LIBRARY_PATH='${libraries.join(':')}'`,
    `exec '${join(root, path)}' "$@"`,
    '',
  ]
  writeFileSync(draft, lines.join('\n'))
  chmodSync(draft, 0o755)
  renameSync(draft, file)
}
