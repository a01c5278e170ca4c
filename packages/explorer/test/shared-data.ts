import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** Test data that lies beside the repository: `../shared` from its root. */
const shared = new URL('../../../../shared/', import.meta.url)

/** For tests that read them: they are not run where the data are absent, and the run's summary says so. */
export const needsShared = existsSync(shared)
  ? {}
  : { skip: 'needs ../shared: the test data beside the repository' }

/** A file of the shared test data, e.g. `golden/otlp.json`. */
export function sharedFile(path: string): Buffer {
  const url = new URL(path, shared)
  if (!existsSync(url))
    throw new Error(
      `test data is absent: ${fileURLToPath(url)} (a checkout has shared/ beside the repository)`,
    )
  return readFileSync(url)
}

/** Names of the recordings of other people's instrumentations, without extension. */
export function foreignNames(): string[] {
  sharedFile('foreign/README.md')
  return readdirSync(new URL('foreign/', shared))
    .filter((name) => name.endsWith('.json'))
    .map((name) => name.slice(0, -'.json'.length))
}
