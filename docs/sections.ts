import { execFileSync } from 'node:child_process'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { configReference } from '@throughline/bridge'
import { conformanceCases } from '@throughline/testkit/conformance'
import { NEVER_PASSED, PROPERTIES, type TransportProperty } from '../packages/bridge/src/headers.ts'
import { membersOf } from './interface.ts'
import { drawTrees } from './trees.ts'

const root = join(import.meta.dirname, '..')
const trees = await drawTrees()

/** What stands between `<!-- made: NAME ARGUMENTS -->` and `<!-- end -->` in the guides: what the code says of itself. */
const makers: Readonly<Record<string, (...args: string[]) => string>> = {
  options: (...interfaces) => optionsTable(interfaces),
  reference: () => configReference().replaceAll(/^### (\S*<name>\S*)/gm, '### `$1`'),
  spans: (name = '') => `\`\`\`text\n${treeOf(name)}\n\`\`\``,
  properties: propertiesTable,
  conformance: conformanceLists,
  'never-passed': () => `${[...NEVER_PASSED].map(code).join(', ')}.`,
  help: (...command) => `\`\`\`text\n${helpOf(command)}\`\`\``,
}

/** A guide with all of its made sections made anew. Throws Error for a section that nothing makes. */
export function withSections(markdown: string): string {
  return markdown.replaceAll(
    /^(<!-- made: ([^\n]+?) -->\n).*?^(<!-- end -->)$/gms,
    (_, open: string, what: string, end: string) => {
      const [name = '', ...args] = what.split(/\s+/)
      const make = makers[name]
      if (make === undefined) throw new Error(`nothing makes "${name}"`)
      return `${open}\n${make(...args).trim()}\n\n${end}`
    },
  )
}

/** @param interfaces `packages/http/src/server.ts#ServerOptions`; their members make one table. */
function optionsTable(interfaces: readonly string[]): string {
  const rows = interfaces.flatMap((place) => {
    const [file = '', name = ''] = place.split('#')
    return membersOf(readFileSync(join(root, file), 'utf8'), name).map(
      ({ name, isOptional, type, text }) =>
        `| ${code(name)}${isOptional ? '' : ', required'} | ${code(wordsOf(type))} | ${cell(text)} |`,
    )
  })
  return ['| option | type | |', '|---|---|---|', ...rows].join('\n')
}

/** The words that a type of core's stands for, where it is a choice of words. */
function wordsOf(type: string): string {
  const alias = new RegExp(`^export type ${type} = ('.+')$`, 'm')
  const sources = /^\w+$/.test(type) ? globSync('packages/core/src/**/*.ts', { cwd: root }) : []
  const found = sources.map((file) => alias.exec(readFileSync(join(root, file), 'utf8'))?.[1])
  return found.find((words) => words !== undefined) ?? type
}

function conformanceLists(): string {
  return Object.entries(conformanceCases)
    .map(([half, cases]) => [`### ${half}\n`, ...cases.map(({ title }) => `- ${title}`)].join('\n'))
    .join('\n\n')
}

function treeOf(name: string): string {
  const tree = trees.get(name)
  if (tree === undefined) throw new Error(`docs/trees.ts has no scenario "${name}"`)
  return tree
}

function propertiesTable(): string {
  const rows = Object.entries<TransportProperty>(PROPERTIES).map(([name, { header, native }]) => {
    const others = header === null ? 'not passed on' : `header ${code(header)}`
    return `| ${code(name)} | ${native.mqtt ?? others} | ${native.rabbitmq ?? others} | ${others} |`
  })
  return ['| property | MQTT 5 | RabbitMQ | HTTP, Kafka |', '|---|---|---|---|', ...rows].join('\n')
}

/** In a home of its own, because a default stands in it. */
function helpOf(command: readonly string[]): string {
  const args = [
    '--conditions=@throughline/source',
    '--disable-warning=ExperimentalWarning',
    join(root, 'packages/cli/bin/throughline.js'),
  ]
  const env = { PATH: process.env.PATH, HOME: '/home/you', NO_COLOR: '1' }
  return `${execFileSync(process.execPath, [...args, ...command, '--help'], { env, encoding: 'utf8' }).trim()}\n`
}

const code = (text: string): string => `\`${cell(text)}\``

/** A bar would end the cell, also inside of code. */
const cell = (text: string): string => text.replaceAll('|', '\\|')
