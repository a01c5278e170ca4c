// Makes the sections of the guides anew that come from the code: npm run docs.
import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { withSections } from './sections.ts'

const root = join(import.meta.dirname, '..')

for (const file of globSync('docs/**/*.md', { cwd: root }).sort()) {
  const path = join(root, file)
  const before = readFileSync(path, 'utf8')
  const after = withSections(before)
  if (after === before) continue
  writeFileSync(path, after)
  console.log(`${file} made anew`)
}
