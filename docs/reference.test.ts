import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { exportsOf } from './exports.ts'
import { packages, referencePages, undocumented } from './reference.ts'

const root = join(import.meta.dirname, '..')
const all = packages()

test('everything that a package exports has a docstring, and so has every method of it', () => {
  assert.ok(all.length >= 7)
  assert.deepEqual(undocumented(all), [])
})

describe('the API reference is as the code has it now', () => {
  const pages = referencePages(all)
  for (const [name, text] of pages)
    test(name, () => {
      const page = readFileSync(join(root, 'docs/api', name), 'utf8')
      assert.equal(page, text, `docs/api/${name} is behind the code: npm run docs brings it up to it`)
    })

  test('and has no page of a package that is gone', () => {
    assert.deepEqual(globSync('*.md', { cwd: join(root, 'docs/api') }).sort(), [...pages.keys()].sort())
  })
})

describe('what a module exports', () => {
  const [exported = []] = exportsOf(root, ['docs/test/exported.ts'])
  const find = (name: string) => exported.find((each) => each.name === name)

  test('is read by name, what is exported again with it and what is not exported left out', () => {
    assert.deepEqual(
      exported.map(({ name, kind }) => `${kind} ${name}`),
      [
        'class Counter',
        'constant LIMIT',
        'constant SIDES',
        'type Shape',
        'function area',
        'function codeBlocks',
      ],
    )
  })

  test('has the docstring with its tags', () => {
    assert.equal(
      find('area')?.text,
      'How large a shape is.\n\n- `shape`: its sides in metres\n- **returns** square metres\n- **throws** RangeError for one without sides',
    )
  })

  test('is declared without bodies, values and what is private', () => {
    assert.equal(find('area')?.declaration, 'function area(shape: Shape): Promise<number>')
    assert.equal(find('LIMIT')?.declaration, 'const LIMIT: number')
    assert.equal(find('SIDES')?.declaration, "const SIDES = ['a', 'b'] as const")
    assert.equal(
      find('Counter')?.declaration,
      [
        'class Counter {',
        '  /** How often. */',
        '  readonly count: number',
        '  constructor(start: number)',
        '  next(by?: number): Counter',
        '}',
      ].join('\n'),
    )
  })

  test('names the methods without a docstring', () => {
    assert.deepEqual(find('Counter')?.undocumented, ['next'])
    assert.deepEqual(find('Shape')?.undocumented, [])
  })
})
