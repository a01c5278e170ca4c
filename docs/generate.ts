// Makes anew what the documentation takes from the code: sections of the guides, and the API reference: npm run docs.
import { existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { packages, referencePages } from './reference.ts'
import { withSections } from './sections.ts'

const root = join(import.meta.dirname, '..')

function write(file: string, text: string): void {
  const path = join(root, file)
  if (existsSync(path) && readFileSync(path, 'utf8') === text) return
  writeFileSync(path, text)
  console.log(`${file} made anew`)
}

for (const file of globSync('docs/**/*.md', { cwd: root }).sort())
  write(file, withSections(readFileSync(join(root, file), 'utf8')))

const pages = referencePages(packages())
mkdirSync(join(root, 'docs/api'), { recursive: true })
for (const [name, text] of pages) write(`docs/api/${name}`, text)
for (const file of globSync('docs/api/*.md', { cwd: root }))
  if (!pages.has(file.slice('docs/api/'.length))) rmSync(join(root, file))
