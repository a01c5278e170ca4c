export interface Import {
  specifier: string
  line: number
  typeOnly: boolean
}

const from = String.raw`\bfrom\s*['"]([^'"\n]+)['"]`
const importing = new RegExp(
  String.raw`^[ \t]*import\b(?:\s+(type)\b(?!\s*(?:,|from\b)))?(?:[^'"=;()]*?${from}|\s*['"]([^'"\n]+)['"])`,
  'gm',
)
const exporting = new RegExp(
  String.raw`^[ \t]*export\s+(?:(type)\s+)?(?:\*(?:\s+as\s+\w+)?|\{[^}'"]*\})\s*${from}`,
  'gm',
)
const call = /\b(?:import|import\.meta\.resolve|require)\s*\(\s*['"]([^'"\n]+)['"]/g
const begin = /^import\b(?![.(])/gm

/**
 * All imports of a module's text: static ones, re-exports, and calls of import, import.meta.resolve and require with a
 * plain string.
 *
 * @throws Error where it has a static import that could not be read: a scan that overlooks one proves nothing.
 */
export function importsOf(text: string): Import[] {
  const lineOf = (index: number) => text.slice(0, index).split('\n').length
  const found: Import[] = []
  const read = new Set<number>()
  for (const pattern of [importing, exporting]) {
    for (const match of text.matchAll(pattern)) {
      const [, type, named, bare] = match
      read.add(match.index)
      found.push({ specifier: named ?? bare ?? '', line: lineOf(match.index), typeOnly: type !== undefined })
    }
  }
  for (const match of text.matchAll(call)) {
    found.push({ specifier: match[1] ?? '', line: lineOf(match.index), typeOnly: false })
  }
  for (const { index } of text.matchAll(begin)) {
    if (!read.has(index)) throw new Error(`the import in line ${lineOf(index)} could not be read`)
  }
  return found
}
