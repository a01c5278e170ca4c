import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { throughline } from './command.ts'

describe('help', () => {
  test('names every command, the exit codes and the environment', async () => {
    const { code, stdout, stderr } = await throughline(['--help'])
    assert.equal(code, 0)
    assert.equal(stderr, '')
    for (const word of [
      'demo',
      'bridge',
      'explorer',
      'journey',
      'send',
      'tail',
      'validate',
      'Exit codes:',
      'THROUGHLINE_EXPLORER',
    ])
      assert.ok(stdout.includes(word), `--help names ${word}`)
  })

  for (const command of ['bridge', 'explorer', 'journey', 'send', 'tail', 'validate']) {
    test(`of ${command} has examples`, async () => {
      const { code, stdout } = await throughline([command, '--help'])
      assert.equal(code, 0)
      assert.match(stdout, new RegExp(`Examples:\\n  throughline ${command}`))
    })
  }

  test('of demo is that of its own options', async () => {
    const { code, stdout } = await throughline(['demo', '--help'])
    assert.equal(code, 0)
    assert.match(stdout, /--without-exporter NAME/)
  })

  test('is what a command line without a command gets, with exit code 2', async () => {
    const { code, stderr } = await throughline([])
    assert.equal(code, 2)
    assert.match(stderr, /Usage: throughline/)
  })
})

describe('what cannot be asked for is answered by one sentence, exit code 2 and no stack', () => {
  const cases: readonly (readonly [string, readonly string[], RegExp])[] = [
    ['an unknown command', ['brigde'], /unknown command 'brigde'[\s\S]*Did you mean bridge\?/],
    ['an unknown option', ['journey', 'x', '--jsno'], /unknown option '--jsno'[\s\S]*Did you mean --json\?/],
    ['a missing option', ['bridge'], /'--config <file>' not specified/],
    ['a missing argument', ['journey'], /missing required argument 'id'/],
    ['validate without a file', ['validate'], /needs a file, or --schema/],
    ['a bad address', ['bridge', '--config', 'x', '--admin', '9090'], /Expected host:port/],
    ['a bad duration', ['explorer', '--retention-age', '7x'], /Expected a duration/],
    ['a bad size', ['explorer', '--retention-bytes', '-1GB'], /Expected a size/],
    ['a token file that is not there', ['explorer', '--token-file', '/nowhere'], /cannot be read: ENOENT/],
    [
      'an explorer that is no URL',
      ['journey', 'x', '--explorer', 'localhost:1'],
      /is no address of an explorer/,
    ],
    [
      'a configuration that is not there',
      ['bridge', '--config', '/nowhere.yaml'],
      /nowhere\.yaml:1:1 cannot be read/,
    ],
    ['an unknown option of the demo', ['demo', '--onec'], /Unknown option '--onec'/],
    ['a bad value of the demo', ['demo', '--without-exporter', 'nobody'], /--without-exporter takes station/],
  ]
  for (const [what, args, expected] of cases) {
    test(what, async () => {
      const { code, stdout, stderr } = await throughline(args)
      assert.equal(code, 2, stderr)
      assert.equal(stdout, '')
      assert.match(stderr, /^throughline: /)
      assert.match(stderr, expected)
      assert.doesNotMatch(stderr, /\n {4}at /)
    })
  }
})

test('the stack comes with THROUGHLINE_DEBUG', async () => {
  const { stderr } = await throughline(['bridge', '--config', '/nowhere.yaml'], { THROUGHLINE_DEBUG: '1' })
  assert.match(stderr, /\n {4}at /)
})

test('the version is that of the package', async () => {
  const { code, stdout } = await throughline(['--version'])
  assert.equal(code, 0)
  assert.match(stdout, /^\d+\.\d+\.\d+\n$/)
})
