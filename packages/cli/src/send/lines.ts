import { TooLargeError } from '@throughline/core'

/** A line and its number, from 1. */
export interface Line {
  readonly number: number
  readonly bytes: Uint8Array
}

const NEWLINE = 0x0a
const BLANK = /^\s*$/

/** The lines that are not blank. Throws TooLargeError for one over `limitBytes`: a file without any end of line is held in no memory. */
export async function* linesOf(stream: AsyncIterable<Buffer>, limitBytes: number): AsyncGenerator<Line> {
  let begun: Buffer[] = []
  let size = 0
  let number = 0
  function* take(piece: Buffer): Generator<Line> {
    const bytes = Buffer.concat([...begun, piece])
    begun = []
    size = 0
    number++
    if (!BLANK.test(bytes.toString('latin1'))) yield { number, bytes }
  }
  for await (const chunk of stream) {
    let start = 0
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      yield* take(chunk.subarray(start, end))
      start = end + 1
    }
    const rest = chunk.subarray(start)
    size += rest.byteLength
    if (size > limitBytes) throw new TooLargeError(limitBytes)
    begun.push(rest)
  }
  yield* take(Buffer.alloc(0))
}
