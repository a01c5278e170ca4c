import { isUtf8 } from 'node:buffer'
import { visibleLines } from '../escape.ts'
import { isJson } from '../json.ts'

/** What is shown of a body, escaped, in lines. `cut`: characters, or bytes of a dump, that were left out. */
export interface Shown {
  readonly lines: readonly string[]
  readonly cut: number
}

const ROW_BYTES = 16
const MAX_DEPTH = 64

/** JSON indented, other text as it is, all else as a hex dump; at most `limit` characters or bytes of it. */
export function showBytes(bytes: Uint8Array, limit: number): Shown {
  // A NUL is in no text that people write, and in most that is none.
  if (!isUtf8(bytes) || bytes.includes(0)) return showHex(bytes, limit)
  return showText(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString(), limit)
}

export function showText(text: string, limit: number): Shown {
  const whole = indentJson(text)
  const kept = whole.length <= limit ? whole : whole.slice(0, limit)
  return { lines: visibleLines(kept).split('\n'), cut: whole.length - kept.length }
}

/** `00000010  7b 22 73 6b 75 22 3a 31  7d                       {"sku":1}` */
function showHex(bytes: Uint8Array, limit: number): Shown {
  const kept = bytes.subarray(0, limit)
  const lines: string[] = []
  for (let start = 0; start < kept.length; start += ROW_BYTES) {
    const row = [...kept.subarray(start, start + ROW_BYTES)]
    const hex = row.map(
      (byte, index) => `${index === ROW_BYTES / 2 ? ' ' : ''}${byte.toString(16).padStart(2, '0')}`,
    )
    const text = row.map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.')).join('')
    lines.push(`${start.toString(16).padStart(8, '0')}  ${hex.join(' ').padEnd(ROW_BYTES * 3)}  ${text}`)
  }
  return { lines, cut: bytes.length - kept.length }
}

const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g

/**
 * JSON with a member a line, its digits, escapes and repeated names as they were written, which parsing would lose.
 * What is no JSON object or array, or is nested so deep that indenting it would be most of it, stays as it is.
 */
export function indentJson(text: string): string {
  if (!/^\s*[{[]/.test(text) || !isJson(text)) return text
  let out = ''
  let depth = 0
  let previous = ''
  for (const [token] of text.matchAll(TOKEN)) {
    const closes = token === '}' || token === ']'
    if (closes) depth--
    const isEmpty = closes && (previous === '{' || previous === '[')
    if (previous !== '' && !isEmpty && (closes || previous === ',' || previous === '{' || previous === '[')) {
      out += `\n${'  '.repeat(depth)}`
    }
    if (token === '{' || token === '[') depth++
    if (depth > MAX_DEPTH) return text
    out += token === ':' ? ': ' : token
    previous = token
  }
  return out
}
