import assert from 'node:assert/strict'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { after, before, test } from 'node:test'
import { repository } from '../bootstrap/paths.mjs'
import { checkBoundaries } from '../boundaries/check.ts'

/** A copy of the packages' sources, into which a test may plant what it likes. */
const root = mkdtempSync(join(tmpdir(), 'throughline-boundaries-'))
before(() => {
  const filter = (path: string) => !['node_modules', 'dist'].includes(basename(path))
  for (const name of ['packages', 'examples', 'package.json']) {
    cpSync(join(repository, name), join(root, name), { recursive: true, filter })
  }
  assert.deepEqual(checkBoundaries(root).problems, [])
})
after(() => rmSync(root, { recursive: true }))

/** What is wrong while a file has this text. */
function problemsWith(file: string, text: string): string[] {
  const path = join(root, file)
  const previous = existsSync(path) ? readFileSync(path) : undefined
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, `${text}\n`)
  try {
    return checkBoundaries(root).problems
  } finally {
    if (previous === undefined) rmSync(path)
    else writeFileSync(path, previous)
  }
}

test('the repository as it stands has no forbidden import', () => {
  const { problems, modules } = checkBoundaries(repository)
  assert.deepEqual(problems, [])
  assert.ok(modules > 20, `only ${modules} modules were read`)
})

const forbidden: [what: string, file: string, text: string, problem: RegExp][] = [
  [
    'core imports a transport',
    'packages/core/src/planted.ts',
    "import '@throughline/kafka'",
    /not below packages\/core/,
  ],
  [
    'core opens a socket',
    'packages/core/src/planted.ts',
    "import { connect } from 'node:net'",
    /not for packages\/core/,
  ],
  [
    'core imports an SDK',
    'packages/core/src/planted.ts',
    "import '@opentelemetry/sdk-trace'",
    /only @opentelemetry\/api/,
  ],
  [
    'a transport traces',
    'packages/mqtt/src/planted.ts',
    "import { trace } from '@opentelemetry/api'",
    /not for packages\/mqtt/,
  ],
  [
    'a source imports what its tests use where it is installed',
    'packages/instrumentation/src/planted.ts',
    "import '@confluentinc/kafka-javascript'",
    /not among the dependencies of packages\/instrumentation/,
  ],
  [
    'a transport imports another',
    'packages/mqtt/src/planted.ts',
    "import '@throughline/http'",
    /not below packages\/mqtt/,
  ],
  [
    'a plain service imports the library',
    'examples/orders/plain/planted.ts',
    "import '@throughline/core'",
    /of this workspace/,
  ],
  [
    'a plain service imports it by way of one that does',
    'examples/orders/plain/planted.ts',
    "import '../src/service.ts'",
    /may share/,
  ],
  [
    'what plain services share imports it',
    'examples/orders/src/store.ts',
    "import '@throughline/core'",
    /of this workspace/,
  ],
  [
    'the explorer imports core',
    'packages/explorer/src/planted.ts',
    "import '@throughline/core'",
    /not below/,
  ],
  [
    'the page imports code of the explorer',
    'packages/explorer-ui/src/planted.ts',
    "import { a } from '@throughline/explorer/api'",
    /types alone/,
  ],
  [
    'the page imports more than the API',
    'packages/explorer-ui/src/planted.ts',
    "import type { A } from '@throughline/explorer'",
    /not below/,
  ],
  [
    'a path leads out of its package',
    'packages/bridge/src/planted.ts',
    "import '../../core/src/index.ts'",
    /leads out of its package/,
  ],
  [
    'built code is imported',
    'packages/bridge/src/planted.ts',
    "import '@throughline/core/dist/index.js'",
    /built code/,
  ],
  [
    'an example imports the page',
    'examples/sensors/src/planted.ts',
    "import '@throughline/explorer-ui'",
    /not below/,
  ],
  [
    'a dependency is not declared',
    'packages/http/src/planted.ts',
    "import 'left-pad'",
    /not among the dependencies/,
  ],
  [
    'an import is hidden in a call',
    'packages/core/src/planted.ts',
    "export const a = () => import('@throughline/http')",
    /not below/,
  ],
  ['a package has no rule', 'packages/unheard-of/src/planted.ts', 'export {}', /no rule/],
]

for (const [what, file, text, problem] of forbidden) {
  test(`it is found that ${what}`, () => {
    const problems = problemsWith(file, text)
    assert.equal(problems.length, 1, problems.join('\n'))
    assert.ok(problems[0]?.startsWith(file), problems[0])
    assert.match(problems[0] ?? '', problem)
  })
}

test('the page may import the types of the API', () => {
  const text = "import type { A } from '@throughline/explorer/api'"
  assert.deepEqual(problemsWith('packages/explorer-ui/src/planted.ts', text), [])
})
