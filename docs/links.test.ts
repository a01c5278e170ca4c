import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { test } from 'node:test'

const root = join(import.meta.dirname, '..')
const files = globSync(['*.md', 'docs/**/*.md', 'bench/*.md', 'packages/*/*.md'], { cwd: root }).sort()

/** Markdown without its fenced blocks: what is in them is no link and no heading. */
function proseOf(path: string): string {
  return readFileSync(path, 'utf8').replaceAll(/^```.*?^```$/gms, '')
}

/** The anchors of a page's headings, as GitHub makes them. */
function anchorsOf(path: string): Set<string> {
  const seen = new Map<string, number>()
  const anchors = new Set<string>()
  for (const [, heading = ''] of proseOf(path).matchAll(/^#{1,6} (.+)$/gm)) {
    const slug = heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-')
    const times = seen.get(slug) ?? 0
    seen.set(slug, times + 1)
    anchors.add(times === 0 ? slug : `${slug}-${times}`)
  }
  return anchors
}

test('every link to a file of the repository leads to it, and to a heading that is there', () => {
  const broken: string[] = []
  let links = 0
  for (const file of files) {
    for (const [, target = ''] of proseOf(join(root, file)).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue
      links++
      const [path = '', anchor] = target.split('#')
      const to = path === '' ? join(root, file) : join(root, dirname(file), path)
      if (!existsSync(to)) broken.push(`${file}: ${target}: no such file`)
      else if (anchor !== undefined && !anchorsOf(to).has(anchor))
        broken.push(`${file}: ${target}: ${relative(root, to)} has no such heading`)
    }
  }
  assert.ok(links > 0)
  assert.deepEqual(broken, [])
})
