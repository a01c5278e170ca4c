import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'

/**
 * The root of the repository where the command runs from a clone of it; null where it is installed as a package.
 * What only a clone has is reached by its path and not imported, since a published command cannot depend on it.
 */
export function cloneRoot(): string | null {
  const root = resolve(import.meta.dirname, '../../..')
  const isClone = existsSync(join(root, 'scripts/demo.ts')) && import.meta.filename.endsWith('.ts')
  return isClone ? root : null
}
