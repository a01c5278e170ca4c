/**
 * What a terminal would obey or hide: control characters (C1 too: U+009B begins a command), text direction, zero width,
 * line separators, half surrogate pairs. The joiners of scripts and emoji stay.
 */
const DANGEROUS = /[[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]--[\u{200c}\u{200d}]]/gv

/** Text as it may be printed in one line: what is dangerous is written as its code point, `\x1b`, `\u202e`. */
export function visible(text: string): string {
  return text.replace(DANGEROUS, escaped)
}

/** The same for text of several lines; tabs and line feeds stay. */
export function visibleLines(text: string): string {
  return text.replace(DANGEROUS, (character) =>
    character === '\n' || character === '\t' ? character : escaped(character),
  )
}

/** JSON of one line, with what JSON itself leaves unescaped written as `\u009b`: in strings alone it can occur. */
export function visibleJson(json: string): string {
  return json.replace(DANGEROUS, (character) =>
    Array.from({ length: character.length }, (_, index) => unit(character.charCodeAt(index))).join(''),
  )
}

function escaped(character: string): string {
  const code = character.codePointAt(0) ?? 0
  if (code <= 0xff) return `\\x${code.toString(16).padStart(2, '0')}`
  return code <= 0xffff ? unit(code) : `\\u{${code.toString(16)}}`
}

function unit(code: number): string {
  return `\\u${code.toString(16).padStart(4, '0')}`
}
