/** One member of an interface of options. */
export interface Member {
  /** Of a nested one with its parents: `retry.attempts`. */
  readonly name: string
  readonly isOptional: boolean
  readonly type: string
  /** Its docstring on one line; empty where it has none. */
  readonly text: string
}

/**
 * The members of an exported interface in TypeScript's source, as Biome lays it out: a member a line, docstrings above.
 *
 * @throws Error for an interface that is not there, and for a line that is laid out otherwise.
 */
export function membersOf(source: string, name: string): readonly Member[] {
  const lines = source.split('\n')
  const named = lines.findIndex((line) => new RegExp(`^export interface ${name}\\b`).test(line))
  if (named < 0) throw new Error(`there is no interface ${name}`)
  // What it extends may stand on lines of its own.
  const start = lines.findIndex((line, index) => index >= named && line.endsWith('{'))
  const members: Member[] = []
  const parents: string[] = []
  let text: string[] = []
  for (const line of lines.slice(start + 1)) {
    if (line === '}') return members
    const documented = /^ +(?:\/\*\*|\*\/|\*) ?(.*?) *(?:\*\/)?$/.exec(line)?.[1]
    const member = /^ +readonly (\w+)(\??): (.+)$/.exec(line)
    if (documented !== undefined) text.push(documented)
    else if (/^ +\}$/.test(line)) parents.pop()
    else if (member !== null) {
      const [, own = '', optional, type = ''] = member
      const isNested = type === '{'
      if (!isNested || text.length > 0)
        members.push({
          name: [...parents, own].join('.'),
          isOptional: optional === '?',
          type: isNested ? 'object' : type,
          text: text.join(' ').trim(),
        })
      if (isNested) parents.push(own)
      text = []
    } else throw new Error(`${name} has a line that is no member: ${line.trim()}`)
  }
  throw new Error(`the interface ${name} does not end`)
}
