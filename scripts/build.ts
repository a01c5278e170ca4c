import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { repository } from './bootstrap/paths.mjs'

const startedAt = performance.now()
const tsc = join(repository, 'node_modules/.bin/tsc')
const { status } = spawnSync(tsc, ['-b', 'tsconfig.build.json'], { cwd: repository, stdio: 'inherit' })
if (status !== 0) process.exit(status ?? 1)
const { buildUi } = await import('@throughline/explorer-ui/build')
await buildUi(join(repository, 'packages/explorer/dist/ui'))
console.log(`built in ${((performance.now() - startedAt) / 1000).toFixed(1)} s`)
