import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { findPackageJSON } from 'node:module'
import { dirname, join, sep } from 'node:path'
import { type ProgramOptions, type ProgramRun, runProgram } from './program.ts'

const APPS = join(import.meta.dirname, '../apps')

export interface AppOptions extends ProgramOptions {
  /** Name of the client's npm package. Its app is in `test/apps/<client>`, without `@` and with `-` for `/`. */
  readonly client: string
  /** `oldest`: the dev dependency `<client>-oldest`, under the client's own name. */
  readonly version: 'newest' | 'oldest'
  readonly format: 'cjs' | 'mjs'
}

/**
 * Runs a client's app in a process of its own, under `--import @throughline/instrumentation/register`, until it ends; see
 * `tree` for its spans. Rejects where it fails.
 */
export async function runApp({ client, version, format, ...options }: AppOptions): Promise<ProgramRun> {
  const folder = join(APPS, client.replace('@', '').replace('/', '-'))
  const run = await (version === 'newest'
    ? runProgram(join(folder, `app.${format}`), options)
    : withOldest(client, folder, (copy) => runProgram(join(copy, `app.${format}`), options)))
  if (run.exitCode !== 0) {
    throw new Error(
      `${client} app.${format} ended with ${run.exitCode ?? run.signal}:\n${run.stdout}\n${run.stderr}`,
    )
  }
  return run
}

/**
 * A copy of an app beside a copy of its client, both removed afterwards. Loaders' hooks know a module by the name of its
 * folder, so the alias would not be found.
 */
async function withOldest<Result>(
  client: string,
  app: string,
  run: (folder: string) => Promise<Result>,
): Promise<Result> {
  const manifest = findPackageJSON(`${client}-oldest`, import.meta.url)
  if (manifest === undefined) throw new Error(`${client}-oldest is not installed`)
  const alias = dirname(manifest)
  // Below the node_modules where the alias is, so that what it needs is found from the copy too.
  const nodeModules = alias.slice(
    0,
    alias.lastIndexOf(`${sep}node_modules${sep}`) + `${sep}node_modules`.length,
  )
  const cache = join(nodeModules, '.cache/throughline')
  mkdirSync(cache, { recursive: true })
  const folder = mkdtempSync(join(cache, 'oldest-'))
  try {
    cpSync(alias, join(folder, 'node_modules', client), { recursive: true })
    cpSync(app, join(folder, 'app'), { recursive: true })
    return await run(join(folder, 'app'))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
