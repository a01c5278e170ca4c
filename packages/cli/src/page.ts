import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { cloneRoot } from './clone.ts'
import { functionOf } from './module.ts'

/**
 * The folder of the explorer's page. The published explorer contains it; in a clone it is built where its sources
 * changed since the last build, into a folder named after their hash. Null where it is not there and cannot be built:
 * the explorer's API needs no page.
 *
 * @param log Told what is built and how long that took, or why it could not be.
 */
export async function pageFolder(log: (message: string) => void): Promise<string | null> {
  const root = cloneRoot()
  if (root !== null) return builtPage(root, log)
  const published = fileURLToPath(new URL('./ui', import.meta.resolve('@throughline/explorer')))
  if (existsSync(join(published, 'index.html'))) return published
  log(`the page is not in ${published}; the API works without it`)
  return null
}

async function builtPage(root: string, log: (message: string) => void): Promise<string | null> {
  const build = join(root, 'packages/explorer-ui/build.ts')
  const cache = join(root, 'node_modules/.cache/throughline/ui')
  let folder: string | undefined
  try {
    const uiSourceHash = await functionOf(build, 'uiSourceHash')
    folder = join(cache, String(await uiSourceHash()))
    if (isBuilt(folder)) return folder
    const buildUi = await functionOf(build, 'buildUi')
    const startedAt = performance.now()
    await buildUi(folder)
    log(`the page was built from its sources in ${((performance.now() - startedAt) / 1000).toFixed(1)} s`)
    return folder
  } catch (error) {
    // Another explorer that started at the same time may have put it there first.
    if (folder !== undefined && isBuilt(folder)) return folder
    const reason = error instanceof Error ? error.message : String(error)
    log(`the page could not be built, the API works without it: ${reason}`)
    return null
  }
}

const isBuilt = (folder: string): boolean => existsSync(join(folder, 'index.html'))
