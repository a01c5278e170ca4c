import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { type Exported, type ExportKind, exportsOf } from './exports.ts'

const root = join(import.meta.dirname, '..')
const build = z.object({ references: z.array(z.object({ path: z.string() })) })
const manifest = z.object({
  name: z.string(),
  description: z.string(),
  exports: z.record(z.string(), z.union([z.string(), z.object({ '@throughline/source': z.string() })])),
})

/** A package that others import, and what it exports. */
interface Package {
  readonly name: string
  readonly description: string
  /** Its page under docs/api. */
  readonly page: string
  readonly exports: readonly Import[]
}

/** What a package exports, and the name to import it from. */
interface Import extends Exported {
  readonly from: string
}

const headings: Readonly<Record<ExportKind, string>> = {
  function: 'Functions',
  class: 'Classes',
  type: 'Types',
  constant: 'Constants',
}

/** The packages that can be imported by their names, in the order in which they are built, with what each exports. */
export function packages(): readonly Package[] {
  const found = build.parse(readJson('tsconfig.build.json')).references.flatMap(({ path }) => {
    const { name, description, exports } = manifest.parse(readJson(join(path, 'package.json')))
    const modules = Object.entries(exports).flatMap(([subpath, target]) =>
      typeof target === 'string'
        ? []
        : [{ from: join(name, subpath), file: join(path, target['@throughline/source']) }],
    )
    return '.' in exports ? [{ name, description, modules }] : []
  })
  const files = found.flatMap(({ modules }) => modules.map(({ file }) => file))
  const byFile = new Map(exportsOf(root, files).map((exports, index) => [files[index], exports]))
  return found.map(({ name, description, modules }) => {
    const imports = modules.flatMap(({ from, file }) =>
      (byFile.get(file) ?? []).map((exported): Import => ({ ...exported, from })),
    )
    const page = `${name.replace('@throughline/', '')}.md`
    // A name that several modules of a package export is shown once.
    return {
      name,
      description,
      page,
      exports: imports.filter((each, at) => at === indexOf(imports, each.name)),
    }
  })
}

const indexOf = (imports: readonly Import[], name: string): number =>
  imports.findIndex((other) => other.name === name)

/** Names that are exported, and their methods, that have no docstring: `@throughline/http: HttpBroker.address`. */
export function undocumented(all: readonly Package[]): readonly string[] {
  return all.flatMap(({ name, exports }) =>
    exports.flatMap((exported) => [
      ...(exported.text === '' ? [`${name}: ${exported.name}`] : []),
      ...exported.undocumented.map((method) => `${name}: ${exported.name}.${method}`),
    ]),
  )
}

/** The pages of docs/api by their file names. */
export function referencePages(all: readonly Package[]): ReadonlyMap<string, string> {
  const list = all.map(({ name, page, description }) => `| [${name}](${page}) | ${description} |`)
  const contents = [
    '# API reference',
    'What each package exports, from its docstrings. `npm run docs` makes these pages; a test keeps them at the code. How the parts are used is in the guides: [transports](../transports/README.md), [tracing](../tracing.md), [CloudEvents](../cloudevents.md), [bridge](../bridge.md), [explorer](../explorer.md).',
    ['| package | |', '|---|---|', ...list].join('\n'),
  ]
  return new Map([
    ['README.md', `${contents.join('\n\n')}\n`],
    ...all.map((each): [string, string] => [each.page, pageOf(each, all)]),
  ])
}

function pageOf(own: Package, all: readonly Package[]): string {
  const groups = Object.entries(headings).flatMap(([kind, heading]) => {
    const members = own.exports.filter((exported) => exported.kind === kind)
    return members.length === 0 ? [] : [{ heading, members }]
  })
  const contents = groups.map(
    ({ heading, members }) =>
      `**${heading}**: ${members.map(({ name }) => `[${name}](#${anchor(name)})`).join(' · ')}`,
  )
  const sections = groups.flatMap(({ heading, members }) => [
    `## ${heading}`,
    ...members.flatMap((member) => [
      `### ${member.name}`,
      member.from === own.name ? '' : `From \`${member.from}\`.`,
      member.text,
      `\`\`\`ts\n${member.declaration}\n\`\`\``,
      usesOf(member, own, all),
    ]),
  ])
  const intro = `${own.description}. [All packages](README.md).`
  return `${[`# ${own.name}`, intro, ...contents, ...sections].filter((part) => part !== '').join('\n\n')}\n`
}

/** Links to the types that a declaration names: code has none on a Markdown page. */
function usesOf({ name, declaration }: Exported, own: Package, all: readonly Package[]): string {
  const words = new Set(declaration.replaceAll(/\/\*\*.*?\*\//gs, '').match(/\b[A-Z]\w*[a-z]\w*\b/g))
  words.delete(name)
  const links = [...words].sort().flatMap((word) => {
    const home = [own, ...all].find(({ exports }) => exports.some((exported) => exported.name === word))
    return home ? [`[${word}](${home === own ? '' : home.page}#${anchor(word)})`] : []
  })
  return links.length === 0 ? '' : `Types: ${links.join(', ')}`
}

const anchor = (name: string): string => name.toLowerCase()

const readJson = (file: string): unknown => JSON.parse(readFileSync(join(root, file), 'utf8'))
