import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { cacheFolder } from './paths.mjs'

/**
 * One thing that a task needs.
 *
 * @typedef {object} Thing
 * @property {string} title What set-up calls it.
 * @property {readonly string[]} needs Things that are needed to provide this one.
 * @property {boolean} [optional] What is done without where it cannot be provided: set-up says so and goes on.
 * @property {() => string | undefined} present Says where it is, or nothing where it is absent. Quick: no process is started.
 * @property {() => Promise<string>} provide Installs it and says in a few words what was done.
 */

/** Something that set-up could not provide: what is missing, why, and the command that puts it right. */
export class SetupError extends Error {
  /**
   * @param {string} what
   * @param {string} why
   * @param {string} fix
   */
  constructor(what, why, fix) {
    super(`${what}: ${why}\n      to put it right: ${fix}`)
    this.code = 'SETUP_FAILED'
  }
}

/**
 * Provides the named things and all that they need, side by side where nothing forbids it, and prints each step with
 * its time. Prints nothing where all are present. Every thing is tried, so that one run names all that is missing.
 *
 * @param {Record<string, Thing>} things
 * @param {readonly string[]} names
 * @param {(line: string) => void} print
 * @returns {Promise<boolean>} Whether all of them are there now.
 */
export async function provide(things, names, print) {
  /** @type {Map<string, Promise<boolean>>} */
  const begun = new Map()
  let printed = false
  /** @param {string} line */
  const step = (line) => {
    if (!printed) print('set-up')
    printed = true
    print(line)
  }

  /**
   * @param {string} name
   * @returns {Promise<boolean>}
   */
  const ensure = (name) => {
    const running = begun.get(name)
    if (running) return running
    const started = provideOne(name)
    begun.set(name, started)
    return started
  }

  /** @param {string} name */
  const provideOne = async (name) => {
    const thing = things[name]
    if (!thing) throw new Error(`set-up knows no "${name}", only ${Object.keys(things).join(', ')}`)
    if (thing.present()) return true
    const needed = await Promise.all(thing.needs.map(ensure))
    if (needed.includes(false)) {
      step(`  ✗ ${thing.title.padEnd(24)} left out: it needs ${thing.needs.join(' and ')}`)
      return false
    }
    const startedAt = performance.now()
    try {
      const done = await withLock(name, async () => thing.present() ?? (await thing.provide()))
      step(`  ✓ ${thing.title.padEnd(24)} ${seconds(startedAt).padStart(7)}  ${done}`)
      return true
    } catch (error) {
      const output = error instanceof Error && 'output' in error ? `\n${error.output}` : ''
      const message = error instanceof Error ? error.message : String(error)
      if (thing.optional) {
        step(`  – ${thing.title.padEnd(24)} ${seconds(startedAt).padStart(7)}  left out: ${message}`)
        return true
      }
      step(`  ✗ ${thing.title.padEnd(24)} ${seconds(startedAt).padStart(7)}  ${message}${output}`)
      return false
    }
  }

  const startedAt = performance.now()
  const all = await Promise.all(names.map(ensure))
  if (printed) print(`  ${all.includes(false) ? 'failed' : 'done'} in ${seconds(startedAt)}\n`)
  return !all.includes(false)
}

/** @param {number} startedAt */
export const seconds = (startedAt) => `${((performance.now() - startedAt) / 1000).toFixed(1)} s`

/**
 * Runs `work` while no other process runs one of the same name. The lock of a process that died is taken over.
 *
 * @template T
 * @param {string} name
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function withLock(name, work) {
  const folder = join(cacheFolder(), 'locks')
  mkdirSync(folder, { recursive: true })
  const lock = join(folder, `${name}.pid`)
  while (!take(lock)) await new Promise((next) => setTimeout(next, 100))
  try {
    return await work()
  } finally {
    rmSync(lock, { force: true })
  }
}

/** @param {string} lock */
function take(lock) {
  try {
    writeFileSync(lock, String(process.pid), { flag: 'wx' })
    return true
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
  }
  try {
    const holder = Number(readFileSync(lock, 'utf8'))
    // An empty file is one that its holder has not written yet.
    if (holder > 0) process.kill(holder, 0)
  } catch (error) {
    const gone = error instanceof Error && 'code' in error && error.code === 'ESRCH'
    if (gone) rmSync(lock, { force: true })
  }
  return false
}
