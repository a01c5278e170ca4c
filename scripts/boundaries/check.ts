import { globSync, readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { z } from 'zod'
import { type Rule, rules, testsMayAlso } from './rules.ts'
import { importsOf } from './scan.ts'

export interface BoundaryReport {
  /** One line each: file, line, what is wrong and why. */
  problems: string[]
  /** How many modules were read. */
  modules: number
}

const dependencies = z.record(z.string(), z.string()).default({})
const manifestSchema = z.object({
  dependencies,
  devDependencies: dependencies,
  peerDependencies: dependencies,
  optionalDependencies: dependencies,
})
type Manifest = z.infer<typeof manifestSchema>

const scope = '@throughline/'
const extensions = '{ts,tsx,mts,js,mjs}'

/** Reads every module of the packages and examples under `root` and holds their imports against the rules. */
export function checkBoundaries(root: string): BoundaryReport {
  const problems: string[] = []
  const seen = new Set<string>()
  const rootManifest = readManifest(root)
  for (const [folder, rule] of Object.entries(rules)) {
    const files = modulesUnder(root, folder)
    if (files.length === 0) continue
    const manifest = readManifest(join(root, folder))
    for (const file of files) {
      seen.add(file)
      problems.push(...problemsOf({ root, folder, file, rule, manifest, rootManifest }))
    }
  }
  // A module of a package without a rule would otherwise pass unread.
  const all = modulesUnder(root, '{packages,examples}/*')
  const unseen = all
    .filter((file) => !seen.has(file))
    .map((file) => `${file}: no rule in scripts/boundaries/rules.ts covers it`)
  return { problems: [...problems, ...unseen], modules: seen.size }
}

function modulesUnder(root: string, folder: string): string[] {
  const exclude = (path: string) => /(^|\/)(node_modules|dist)(\/|$)/.test(path.replaceAll(sep, '/'))
  return globSync(`${folder}/**/*.${extensions}`, { cwd: root, exclude })
}

function readManifest(folder: string): Manifest {
  return manifestSchema.parse(JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')))
}

interface Module {
  root: string
  folder: string
  file: string
  rule: Rule
  manifest: Manifest
  rootManifest: Manifest
}

function problemsOf(module: Module): string[] {
  const { root, folder, file, rule } = module
  const isSource = ['src', 'bin', 'plain'].some((name) => file.startsWith(join(folder, name) + sep))
  const text = readFileSync(join(root, file), 'utf8')
  const judge = (specifier: string, typeOnly: boolean): string | undefined => {
    const problem = isPlain(module, file) ? judgePlain(module, specifier) : undefined
    if (problem !== undefined) return problem
    if (specifier.startsWith('.') || specifier.startsWith('/')) return judgePath(module, specifier, isSource)
    if (/(^|\/)dist(\/|$)/.test(specifier)) return 'is built code; import the package by its name'
    if (isSource && rule.never?.some((pattern) => matches(pattern, specifier))) return `is not for ${folder}`
    if (isBuiltin(specifier))
      return specifier.startsWith('node:') ? undefined : `is written node:${specifier}`
    if (specifier.startsWith(scope))
      return judgeWorkspace(module, specifier.slice(scope.length), typeOnly, isSource)
    return specifier.startsWith('#') ? undefined : judgeOthers(module, specifier, isSource)
  }
  try {
    return importsOf(text).flatMap(({ specifier, line, typeOnly }) => {
      const problem = judge(specifier, typeOnly)
      return problem === undefined ? [] : [`${file}:${line}: "${specifier}" ${problem}`]
    })
  } catch (error) {
    return [`${file}: ${error instanceof Error ? error.message : error}`]
  }
}

/** Whether a module has nothing of this workspace in it. */
function isPlain({ folder, rule: { plain } }: Module, file: string): boolean {
  const path = relative(folder, file).split(sep).join('/')
  return plain !== undefined && (path.startsWith('plain/') || plain.includes(path))
}

function judgePlain(module: Module, specifier: string): string | undefined {
  if (specifier.startsWith(scope)) return 'is of this workspace, of which a plain service knows nothing'
  const isOther = specifier.startsWith('.') && !isPlain(module, join(dirname(module.file), specifier))
  return isOther ? 'is no module that a plain service may share' : undefined
}

function judgePath({ root, folder, file }: Module, specifier: string, isSource: boolean): string | undefined {
  const target = relative(join(root, folder), resolve(root, dirname(file), specifier))
  if (target.startsWith('..')) return 'leads out of its package; import the other package by its name'
  if (target.split(sep).includes('dist')) return 'is built code'
  if (isSource && target.split(sep)[0] === 'test') return 'is a test'
  return undefined
}

function judgeWorkspace(
  { folder, rule }: Module,
  name: string,
  typeOnly: boolean,
  isSource: boolean,
): string | undefined {
  const allows = (allowed: string) => name === allowed || name.startsWith(`${allowed}/`)
  if (folder === `packages/${name.split('/')[0]}`) return isSource ? 'is its own package' : undefined
  if (rule.workspace.some(allows)) return undefined
  if (!isSource && [...testsMayAlso, ...(rule.tests ?? [])].some(allows)) return undefined
  if (!rule.types?.includes(name)) return `is not below ${folder}`
  return typeOnly ? undefined : 'may be imported for its types alone (import type)'
}

function judgeOthers(
  { folder, rule, manifest, rootManifest }: Module,
  specifier: string,
  isSource: boolean,
): string | undefined {
  const parts = specifier.split('/')
  const name = parts.slice(0, specifier.startsWith('@') ? 2 : 1).join('/')
  if (isSource && rule.only && !rule.only.includes(name))
    return `is not for ${folder}, only ${rule.only.join(', ')}`
  const { dependencies, peerDependencies, optionalDependencies, devDependencies } = manifest
  const declared = { ...dependencies, ...peerDependencies, ...optionalDependencies }
  const forTests = { ...devDependencies, ...rootManifest.devDependencies }
  if (name in declared || (!isSource && (name in forTests || rule.optional?.includes(name)))) return undefined
  // The types of a package come from @types/… where it has none of its own.
  return `is not among the dependencies of ${folder}/package.json`
}

function matches(pattern: string, specifier: string): boolean {
  return pattern.endsWith('*') ? specifier.startsWith(pattern.slice(0, -1)) : specifier === pattern
}
