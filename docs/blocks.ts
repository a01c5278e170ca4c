import { readFileSync } from 'node:fs'

/** One fenced block of code in a Markdown file. */
export interface CodeBlock {
  readonly file: string
  /** Line of its opening fence, from 1. */
  readonly line: number
  readonly language: string
  readonly code: string
}

/** The fenced blocks of a Markdown file, in order. */
export function codeBlocks(file: string): readonly CodeBlock[] {
  const blocks: CodeBlock[] = []
  let open: { readonly line: number; readonly language: string; readonly code: string[] } | null = null
  for (const [index, text] of readFileSync(file, 'utf8').split('\n').entries()) {
    const fence = /^```(\w*)/.exec(text)
    if (fence === null) open?.code.push(text)
    else if (open === null) open = { line: index + 1, language: fence[1] ?? '', code: [] }
    else {
      blocks.push({ file, line: open.line, language: open.language, code: `${open.code.join('\n')}\n` })
      open = null
    }
  }
  return blocks
}
