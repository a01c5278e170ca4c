/**
 * An explorer with data in it, for work on the page:
 * `node --conditions=@throughline/source packages/explorer/test/serve-golden.ts [listen] [otlpHttp] [uiDir]`
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startExplorer } from '@throughline/explorer'
import { foreignNames, sharedFile } from './shared-data.ts'

const [listen = '127.0.0.1:4319', otlpHttp = '127.0.0.1:4318', uiDir] = process.argv.slice(2)
const dataDir = mkdtempSync(join(tmpdir(), 'throughline-golden-'))
const explorer = await startExplorer({
  listen,
  otlpHttp,
  dataDir,
  log: console.error,
  ...(uiDir ? { uiDir } : {}),
})

for (const path of ['golden/otlp.json', ...foreignNames().map((name) => `foreign/${name}.json`)]) {
  const headers = { 'content-type': 'application/json' }
  const answer = await fetch(`${explorer.otlpUrl}/v1/traces`, {
    method: 'POST',
    headers,
    body: sharedFile(path),
  })
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`)
}
console.log(
  `page and API: ${explorer.url}   OTLP: ${explorer.otlpUrl}   data: ${dataDir} (removed at the end)`,
)

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, async () => {
    await explorer.close()
    rmSync(dataDir, { recursive: true })
    process.exit(0)
  })
}
