import {
  type ClassElement,
  isClassDeclaration,
  isConstructorDeclaration,
  isFunctionDeclaration,
  isInterfaceDeclaration,
  isMethodDeclaration,
  isMethodSignatureDeclaration,
  isVariableDeclaration,
  type Node,
} from 'typescript/unstable/ast'
// TypeScript 7's own interface, not settled yet: it is used in this file alone, and the version is pinned exactly. The
// alternative, typedoc, brings a second TypeScript of 24 MB and takes eight seconds of processor time for one.
import {
  API,
  type Checker,
  type Project,
  SymbolFlags,
  type Symbol as TypeScriptSymbol,
} from 'typescript/unstable/sync'

export type ExportKind = 'function' | 'class' | 'type' | 'constant'

/** One name that a module exports. */
export interface Exported {
  readonly name: string
  readonly kind: ExportKind
  /** Its docstring as Markdown, tags included; empty where it has none. */
  readonly text: string
  /** As its source writes it, without bodies and what is private. */
  readonly declaration: string
  /** Methods of it that have no docstring. */
  readonly undocumented: readonly string[]
}

/**
 * What modules export, each by name, re-exports followed to their declarations.
 *
 * @param folder where the TypeScript project's `tsconfig.json` is
 * @param modules paths in it; the answer has one entry for each, in the same order
 * @throws Error for a module that is not in the project, and for an export of another kind than `ExportKind` names
 */
export function exportsOf(folder: string, modules: readonly string[]): readonly (readonly Exported[])[] {
  const api = new API({ cwd: folder })
  try {
    const [project] = api.updateSnapshot({ openProjects: ['tsconfig.json'] }).getProjects()
    if (project === undefined) throw new Error(`${folder} has no TypeScript project`)
    return modules.map((module) => readModule(project, module))
  } finally {
    api.close()
  }
}

function readModule(project: Project, module: string): readonly Exported[] {
  const { checker, program } = project
  const file = program.getSourceFile(module)
  const symbol = file && checker.getSymbolAtLocation(file)
  if (symbol === undefined) throw new Error(`${module} is no module of the project`)
  return checker
    .getExportsOfModule(symbol)
    .map((exported) => readSymbol(project, exported))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
}

function readSymbol(project: Project, exported: TypeScriptSymbol): Exported {
  const { checker } = project
  const isAlias = (exported.flags & SymbolFlags.Alias) !== 0
  const symbol = isAlias ? checker.getAliasedSymbol(exported) : exported
  const nodes = symbol.declarations.flatMap((handle) => handle.resolve(project) ?? [])
  const overloads = nodes.filter((node) => !isFunctionDeclaration(node) || node.body === undefined)
  const shown = overloads.length > 0 ? overloads : nodes
  return {
    name: exported.name,
    kind: kindOf(exported),
    text: docstring(symbol, checker),
    declaration: shown.map(declarationOf).join('\n'),
    undocumented: nodes
      .flatMap((node) => methodsOf(node))
      .filter((name) => !isDocumented(symbol, name, checker)),
  }

  function kindOf({ name }: TypeScriptSymbol): ExportKind {
    if (symbol.flags & SymbolFlags.Function) return 'function'
    if (symbol.flags & SymbolFlags.Class) return 'class'
    if (symbol.flags & (SymbolFlags.Interface | SymbolFlags.TypeAlias)) return 'type'
    if (symbol.flags & SymbolFlags.Variable) return 'constant'
    throw new Error(`${name} is an export of a kind that the reference does not know`)
  }
}

const isDocumented = (symbol: TypeScriptSymbol, method: string, checker: Checker): boolean =>
  [...symbol.getMembers().values()].some(
    (member) => member.name === method && member.getDocumentationComment(checker) !== '',
  )

function methodsOf(node: Node): readonly string[] {
  if (!isInterfaceDeclaration(node) && !isClassDeclaration(node)) return []
  return [...node.members].flatMap((member) =>
    isMethodSignatureDeclaration(member) || (isMethodDeclaration(member) && isPublic(member))
      ? [member.name.getText()]
      : [],
  )
}

function docstring(symbol: TypeScriptSymbol, checker: Checker): string {
  const tags = symbol.getJsDocTags(checker).map(({ name, text = '' }) => {
    if (name !== 'param') return `- **${name}** ${text}`
    const [parameter, ...words] = text.split(/\s+/)
    return `- \`${parameter}\`: ${words.join(' ')}`
  })
  return [symbol.getDocumentationComment(checker).trim(), tags.join('\n')].filter(Boolean).join('\n\n')
}

function declarationOf(node: Node): string {
  if (isFunctionDeclaration(node)) return withoutBody(node, node.body).replace(/^(export )?(async )?/, '')
  if (isClassDeclaration(node)) return classText(node.getText(), node.members)
  // Without its value where its type is written: the value is how, not what.
  if (isVariableDeclaration(node))
    return `const ${node.type === undefined ? node.getText() : `${node.name.getText()}: ${node.type.getText()}`}`
  return node.getText().replace(/^export /, '')
}

function classText(text: string, members: Iterable<ClassElement>): string {
  const [head = ''] = text.replace(/^export /, '').split('{\n')
  const shown = [...members].filter(isPublic).map((member) => {
    const hasBody = isConstructorDeclaration(member) || isMethodDeclaration(member)
    return `${commentOf(member)}  ${hasBody ? withoutBody(member, member.body) : member.getText()}`
  })
  return [`${head}{`, ...shown, '}'].join('\n')
}

/** The docstring above a member, with its line break. */
function commentOf(member: Node): string {
  const comment = /\/\*\*.*?\*\//s.exec(textOf(member, member.pos, member.getStart()))
  return comment === null ? '' : `  ${comment[0]}\n`
}

const withoutBody = (node: Node, body: Node | undefined): string =>
  textOf(node, node.getStart(), body?.getStart() ?? node.end).trim()

const textOf = (node: Node, start: number, end: number): string => node.getSourceFile().text.slice(start, end)

const isPublic = (member: ClassElement): boolean =>
  !/^(?:private|protected) |^(?:static |readonly )*#/.test(member.getText())
