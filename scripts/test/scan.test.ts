import assert from 'node:assert/strict'
import { test } from 'node:test'
import { importsOf } from '../boundaries/scan.ts'

const specifiers = (text: string) => importsOf(text).map((found) => found.specifier)

test('every form of an import is found', () => {
  const text = [
    "import a from 'one'",
    "import { b,\n  c } from 'two'",
    "import * as d from 'three'",
    "import 'four'",
    "export { e } from 'five'",
    "export * from 'six'",
    "export * as f from 'seven'",
    "const g = await import('eight')",
    "const h = import.meta.resolve('nine')",
    "const i = require('ten')",
    "import j, { type K } from 'eleven'",
  ].join('\n')
  const all = 'one two three four five six seven eight nine ten eleven'.split(' ')
  assert.deepEqual(new Set(specifiers(text)), new Set(all))
})

test('an import of types is told from one that is there at run time', () => {
  const text =
    "import type { A } from 'types'\nimport { type B } from 'values'\nexport type { C } from 'more-types'\n"
  const typeOnly = Object.fromEntries(importsOf(text).map((found) => [found.specifier, found.typeOnly]))
  assert.deepEqual(typeOnly, { types: true, values: false, 'more-types': true })
})

test('the line of an import is named', () => {
  assert.deepEqual(importsOf("\n\nimport { a } from 'b'\n"), [{ specifier: 'b', line: 3, typeOnly: false }])
})

test('an export in front of an import does not hide it', () => {
  assert.deepEqual(specifiers("export const a = 1\nexport function b() {}\nimport { c } from 'd'\n"), ['d'])
})

test('an import that cannot be read is an error, not overlooked', () => {
  assert.throws(() => importsOf('import { a } from `b`\n'), /line 1 could not be read/)
})
