/** One server-sent event. */
export interface ServerEvent {
  /** `message` where the server names none. */
  readonly type: string
  readonly data: string
}

/** A line longer than this is no event of ours, and is not collected for ever. */
const MAX_LINE_CHARS = 1024 * 1024

/**
 * Reads server-sent events (WHATWG HTML, 9.2.6) from text that comes in pieces, cut anywhere. Ids and retry times
 * are read over: the reader asks for the list again after a loss.
 *
 * @returns a function that takes the next piece and returns the events that are complete with it
 * @throws RangeError for a line of more than 1 Mi characters
 */
export function eventReader(): (piece: string) => readonly ServerEvent[] {
  let rest = ''
  let type = ''
  let data: string[] = []
  return (piece) => {
    const text = rest + piece
    // A CR at the end may be the first half of CR LF.
    const end = text.endsWith('\r') ? text.length - 1 : text.length
    const lines = text.slice(0, end).split(/\r\n|\n|\r/)
    rest = (lines.pop() ?? '') + text.slice(end)
    if (rest.length > MAX_LINE_CHARS) throw new RangeError('a line of the event stream has no end')
    const events: ServerEvent[] = []
    for (const line of lines) {
      if (line === '') {
        if (data.length > 0) events.push({ type: type === '' ? 'message' : type, data: data.join('\n') })
        type = ''
        data = []
        continue
      }
      const [, field, value = ''] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? []
      if (field === 'event') type = value
      else if (field === 'data') data.push(value)
    }
    return events
  }
}
