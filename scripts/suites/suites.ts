import { globSync } from 'node:fs'
import { sep } from 'node:path'

export interface Suite {
  name: string
  /** Whether its tests are given brokers. Those run one file at a time: a test may restart a broker. */
  brokers: boolean
  limitMinutes: number
  /** How long one file may take; then its process is killed. Default 180 with brokers, else 120: far more than any needs. */
  fileSeconds?: number
  files(all: readonly string[]): string[]
}

const inside = (file: string, ...folders: string[]) => folders.some((folder) => file.startsWith(`${folder}/`))
const ofPackage = (file: string) => inside(file, 'packages', 'examples', 'scripts', 'bench')
/** `brokers`, `browser`; `process`: starts programs, each of which takes a second to load. */
const kinds = ['brokers', 'browser', 'process'] as const
const isKind = (file: string, kind: (typeof kinds)[number]) => file.endsWith(`.${kind}.test.ts`)

/** All suites in the order in which they run: the quick ones, which need nothing, first. */
export const suites: readonly Suite[] = [
  {
    name: 'unit',
    brokers: false,
    limitMinutes: 5,
    files: (all) =>
      all.filter(
        (file) => (ofPackage(file) || inside(file, 'docs')) && !kinds.some((kind) => isKind(file, kind)),
      ),
  },
  {
    name: 'process',
    brokers: false,
    limitMinutes: 5,
    files: (all) => all.filter((file) => ofPackage(file) && isKind(file, 'process')),
  },
  {
    name: 'brokers',
    brokers: true,
    limitMinutes: 13,
    files: (all) => all.filter((file) => ofPackage(file) && isKind(file, 'brokers')),
  },
  {
    name: 'browser',
    brokers: true,
    limitMinutes: 5,
    files: (all) => all.filter((file) => ofPackage(file) && isKind(file, 'browser')),
  },
  {
    name: 'integration',
    brokers: true,
    limitMinutes: 12,
    files: (all) =>
      all.filter((file) => inside(file, 'tests') && !inside(file, 'tests/interop', 'tests/conformance')),
  },
  {
    name: 'conformance',
    brokers: true,
    limitMinutes: 15,
    // One file is the whole suite for one transport, 100 000 messages and a broker's restart among it.
    fileSeconds: 360,
    files: (all) => all.filter((file) => inside(file, 'tests/conformance')),
  },
  {
    name: 'interop',
    brokers: true,
    limitMinutes: 5,
    files: (all) => all.filter((file) => inside(file, 'tests/interop')),
  },
  {
    name: 'docs',
    brokers: true,
    limitMinutes: 5,
    files: (all) => all.filter((file) => inside(file, 'docs') && isKind(file, 'brokers')),
  },
]

/** Every test file of the repository, relative to its root, with `/` between folders. */
export function testFiles(root: string): string[] {
  const exclude = (path: string) => /(^|[\\/])(node_modules|dist)([\\/]|$)/.test(path)
  return globSync('{packages,examples,scripts,bench,tests,docs}/**/*.test.ts', { cwd: root, exclude })
    .map((file) => file.split(sep).join('/'))
    .sort()
}
