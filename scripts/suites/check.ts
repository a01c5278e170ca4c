import { spawn } from 'node:child_process'
import { join } from 'node:path'

interface Checker {
  title: string
  /** A command of node_modules/.bin with its arguments, or a script that Node runs. */
  command: readonly [string, ...string[]]
}

const checkers: readonly Checker[] = [
  { title: 'types', command: ['tsc', '-p', 'tsconfig.json'] },
  { title: 'types of the page', command: ['tsc', '-p', 'packages/explorer-ui/tsconfig.json'] },
  { title: 'format and lint', command: ['biome', 'check', '--colors=off', '--diagnostic-level=warn', '.'] },
  {
    title: 'boundaries',
    command: ['node', '--disable-warning=ExperimentalWarning', 'scripts/boundaries.ts'],
  },
]

/** Runs all checks side by side and prints what each of them found. Gives back whether none found anything. */
export async function check(root: string): Promise<boolean> {
  console.log('check')
  const results = await Promise.all(checkers.map((checker) => runChecker(root, checker)))
  return results.every((passed) => passed)
}

function runChecker(root: string, { title, command: [name, ...args] }: Checker): Promise<boolean> {
  const startedAt = performance.now()
  return new Promise((done) => {
    const child = spawn(join(root, 'node_modules/.bin', name), args, {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    const keep = (text: string) => {
      output += text
    }
    child.stdout.setEncoding('utf8').on('data', keep)
    child.stderr.setEncoding('utf8').on('data', keep)
    child.on('error', (error) => keep(error.message))
    child.on('close', (code) => {
      const time = `${((performance.now() - startedAt) / 1000).toFixed(1)} s`
      console.log(`  ${code === 0 ? '✓' : '✗'} ${title.padEnd(24)} ${time.padStart(7)}`)
      if (code !== 0) console.log(output.trimEnd().replace(/^/gm, '    '))
      done(code === 0)
    })
  })
}
