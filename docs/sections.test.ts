import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { conformanceCases } from '@throughline/testkit/conformance'
import { membersOf } from './interface.ts'
import { withSections } from './sections.ts'

const root = join(import.meta.dirname, '..')
const read = (file: string) => readFileSync(join(root, file), 'utf8')

describe('what a guide takes from the code is as the code has it now', () => {
  for (const file of globSync('docs/**/*.md', { cwd: root }).sort()) {
    test(file, () => {
      const guide = read(file)
      assert.equal(guide, withSections(guide), `${file} is behind the code: npm run docs brings it up to it`)
    })
  }
})

test("the command's page has the help of every command", () => {
  const page = read('docs/command.md')
  const commands = globSync('packages/cli/src/commands/*.ts', { cwd: root })
  assert.ok(commands.length > 0)
  for (const file of commands) {
    const command = file.slice(file.lastIndexOf('/') + 1, -'.ts'.length)
    assert.ok(page.includes(`<!-- made: help ${command} -->`), command)
  }
})

test("the explorer's page names every finding and every route of the API", () => {
  const page = read('docs/explorer.md')
  const union = /export type FindingCode =(.*?)\n\n/s.exec(read('packages/explorer/src/api/schema.ts'))?.[1]
  const codes = [...(union ?? '').matchAll(/'([a-z-]+)'/g)].map(([, code = '']) => code)
  assert.ok(codes.length > 0)
  for (const code of codes) assert.ok(page.includes(`| \`${code}\` |`), code)
  const routes = [...read('packages/explorer/src/api/routes.ts').matchAll(/app\.get\('([^']+)'/g)]
  assert.ok(routes.length > 0)
  for (const [, route = ''] of routes)
    assert.ok(page.includes(`### \`GET ${route.replace(/:(\w+)/g, '{$1}')}`), route)
})

describe('members of an interface', () => {
  const source = [
    'export interface Options extends Others {',
    '  /** Where to. */',
    '  readonly url: string',
    '  readonly qos?: 0 | 1',
    '  readonly retry?: {',
    '    /**',
    '     * How often,',
    '     * at most. Default 5.',
    '     */',
    '    readonly attempts?: number',
    '  }',
    '}',
  ]

  test('are read with their docstrings, nested ones by their path', () => {
    assert.deepEqual(membersOf(source.join('\n'), 'Options'), [
      { name: 'url', isOptional: false, type: 'string', text: 'Where to.' },
      { name: 'qos', isOptional: true, type: '0 | 1', text: '' },
      { name: 'retry.attempts', isOptional: true, type: 'number', text: 'How often, at most. Default 5.' },
    ])
  })

  test('that are laid out otherwise are refused, not left out', () => {
    const odd = source.toSpliced(3, 1, '  readonly qos?:', '    | 0', '    | 1').join('\n')
    assert.throws(() => membersOf(odd, 'Options'), /a line that is no member: readonly qos\?:/)
    assert.throws(() => membersOf(source.join('\n'), 'Option'), /there is no interface Option/)
  })
})

test('the table of what proves each settlement names cases that there are', () => {
  const titles = Object.values(conformanceCases).flatMap((cases) => cases.map(({ title }) => title))
  const table = /## What settling does.*?\n## /s.exec(read('docs/testkit.md'))?.[0] ?? ''
  const named = [...table.matchAll(/`([^`]+(?: …|settled|returned|can))`/g)].map(([, name = '']) => name)
  assert.ok(named.length > 10)
  for (const name of named) {
    const begin = name.replace(/ …$/, '')
    assert.ok(
      titles.some((title) => title.startsWith(begin)),
      name,
    )
  }
})
