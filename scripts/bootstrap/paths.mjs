import { mkdirSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The root of the repository. */
export const repository = resolve(dirname(fileURLToPath(import.meta.url)), '../..')

/**
 * Where everything that set-up downloads is kept: `THROUGHLINE_CACHE`, else `$XDG_CACHE_HOME/throughline`, else
 * `~/.cache/throughline`. Not under node_modules, which `npm ci` wipes.
 */
export function cacheFolder() {
  const named = process.env.THROUGHLINE_CACHE
  if (named) return resolve(named)
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'throughline')
}

/** Commands that set-up provides (wrappers of what it unpacked); first on PATH of every task. */
export const cacheBin = () => join(cacheFolder(), 'bin')

/**
 * An empty folder of the cache in which a thing is made before it is moved to its place. Called by the one process that
 * makes the thing: what an earlier one left, which was killed, is removed.
 *
 * @param {string} name
 */
export function workFolder(name) {
  const folder = join(cacheFolder(), `${name}.work`)
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  return folder
}
