import { errorMessage } from '@throughline/core'
import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  visit,
} from 'yaml'
import { substitute } from './environment.ts'
import type { Problem } from './problem.ts'

export type Path = readonly PropertyKey[]

/** A YAML file that has been read, and where everything in it stands. */
export interface ConfigDocument {
  /** Its value, with the environment filled in; undefined when it is no YAML. */
  readonly value: unknown
  /** Notes a problem with the value at a path, or with the nearest thing round it that is there. One a place. */
  report(path: Path, message: string): void
  /** The same with the key of the value. */
  reportKey(path: Path, message: string): void
  warn(path: Path, message: string): void
  /** What stands at a path in the file, cut, to be quoted: never what a variable held, and no password. */
  written(path: Path): string
  readonly problems: readonly Problem[]
  readonly warnings: readonly Problem[]
}

const MAX_ALIASES = 100

/** Parses YAML 1.2 and fills in `${NAME}`. Problems are collected, nothing is thrown. */
export function readDocument(
  text: string,
  environment: Readonly<Record<string, string | undefined>>,
): ConfigDocument {
  const lineCounter = new LineCounter()
  const document = parseDocument(text, {
    lineCounter,
    prettyErrors: false,
    uniqueKeys: true,
    stringKeys: true,
  })
  const problems: Problem[] = []
  const warnings: Problem[] = []

  function note(list: Problem[], offset: number, path: string, message: string): void {
    const { line, col } = lineCounter.linePos(offset)
    const place = { line: Math.max(line, 1), column: Math.max(col, 1) }
    // What follows from a problem that has been noted, such as a variable that is not set, is no other problem.
    const known = list.some(
      (each) => each.line === place.line && each.column === place.column && path.startsWith(each.path),
    )
    if (!known) list.push({ ...place, path, message })
  }

  for (const { pos, message } of [...document.errors, ...document.warnings])
    note(problems, pos[0], '', message)
  visit(document, {
    Alias(_, node) {
      if (node.resolve(document) !== undefined) return
      note(problems, node.range?.[0] ?? 0, '', `nothing before it is called &${node.source}`)
    },
  })
  const readable = problems.length === 0
  if (readable) {
    substitute(document, environment, (node, path, message) =>
      note(problems, node.range?.[0] ?? 0, textOfPath(path), message),
    )
  }
  const root = document.contents

  function plain(): unknown {
    try {
      return document.toJS({ maxAliasCount: MAX_ALIASES })
    } catch (error) {
      // Aliases so many that what they stand for would not fit into memory.
      note(problems, 0, '', errorMessage(error))
      return undefined
    }
  }

  function find(path: Path): Found {
    let found: Found = { key: undefined, node: root, depth: 0 }
    for (const segment of path) {
      const next = child(resolve(found.node), segment)
      if (next === undefined) break
      found = { ...next, depth: found.depth + 1 }
    }
    return found
  }

  function resolve(node: Node | null): Node | null {
    return isAlias(node) ? (node.resolve(document) ?? null) : node
  }

  function child(node: Node | null, segment: PropertyKey): Omit<Found, 'depth'> | undefined {
    if (isMap<Node, Node | null>(node)) {
      const pair = node.items.find(
        (each: Pair<Node, Node | null>) => isScalar(each.key) && String(each.key.value) === String(segment),
      )
      return pair && { key: pair.key, node: pair.value }
    }
    const item: unknown = isSeq(node) && typeof segment === 'number' ? node.items[segment] : undefined
    return isNode(item) ? { key: undefined, node: item } : undefined
  }

  /** The value itself where it is there; for one that is missing the key of what should hold it. */
  function offsetOf(path: Path): number {
    const { key, node, depth } = find(path)
    const missing = depth < path.length && !isSeq(node) && !isScalar(node)
    const place = missing || node === null ? (key ?? node) : node
    return place?.range?.[0] ?? 0
  }

  function written(path: Path): string {
    const { node, depth } = find(path)
    if (depth < path.length && !isScalar(node)) return 'nothing'
    const held = resolve(node)
    if (isMap(held)) return 'a mapping'
    if (isSeq(held)) return 'a list'
    if (path.some((segment) => /password|secret|token|authorization/i.test(String(segment))))
      return 'what is written'
    const [start = 0, end = 0] = held?.range ?? []
    const source = text
      .slice(start, end)
      .replaceAll(/\s+/g, ' ')
      .replace(/\/\/[^/\s]*@/, '//***@')
    return source === '' ? 'nothing' : source.length > 64 ? `${source.slice(0, 64)}…` : source
  }

  return {
    value: readable ? plain() : undefined,
    report: (path, message) => note(problems, offsetOf(path), textOfPath(path), message),
    reportKey(path, message) {
      const { key, node } = find(path)
      note(problems, (key ?? node)?.range?.[0] ?? 0, textOfPath(path), message)
    },
    warn: (path, message) => note(warnings, offsetOf(path), textOfPath(path), message),
    written,
    problems,
    warnings,
  }
}

interface Found {
  readonly key: Node | undefined
  readonly node: Node | null
  readonly depth: number
}

function isNode(value: unknown): value is Node {
  return isScalar(value) || isMap(value) || isSeq(value) || isAlias(value)
}

export function textOfPath(path: Path): string {
  return path
    .map((segment) => (typeof segment === 'number' ? `[${segment}]` : `.${String(segment)}`))
    .join('')
    .replace(/^\./, '')
}
