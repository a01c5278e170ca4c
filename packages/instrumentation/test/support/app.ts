import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
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
    : withCopy(client, folder, { of: `${client}-oldest` }, (copy) =>
        runProgram(join(copy, `app.${format}`), options),
      ))
  if (run.exitCode !== 0) {
    throw new Error(
      `${client} app.${format} ended with ${run.exitCode ?? run.signal}:\n${run.stdout}\n${run.stderr}`,
    )
  }
  return run
}

/**
 * A copy of a folder of programs beside a copy of their client, both removed afterwards. Loaders' hooks know a module by the
 * name of its folder, so an alias would not be found.
 *
 * @param of the package that is copied, an alias; default the client itself
 * @param version written into the copy's `package.json`
 */
export async function withCopy<Result>(
  client: string,
  programs: string,
  { of = client, version }: { readonly of?: string; readonly version?: string },
  run: (folder: string) => Promise<Result>,
): Promise<Result> {
  const manifest = findPackageJSON(of, import.meta.url)
  if (manifest === undefined) throw new Error(`${of} is not installed`)
  const original = dirname(manifest)
  // Below the node_modules where the original is, so that what it needs is found from the copy too.
  const end = original.lastIndexOf(`${sep}node_modules${sep}`) + `${sep}node_modules`.length
  const cache = join(original.slice(0, end), '.cache/throughline')
  mkdirSync(cache, { recursive: true })
  const folder = mkdtempSync(join(cache, 'copy-'))
  try {
    const copy = join(folder, 'node_modules', client)
    cpSync(original, copy, { recursive: true })
    cpSync(programs, join(folder, 'programs'), { recursive: true })
    if (version !== undefined) {
      const own: object = JSON.parse(readFileSync(manifest, 'utf8'))
      writeFileSync(join(copy, 'package.json'), JSON.stringify({ ...own, version }))
    }
    return await run(join(folder, 'programs'))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
