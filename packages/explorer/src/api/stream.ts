import type { ServerResponse } from 'node:http'
import type { Live } from '../journey/live.ts'

const heartbeatMs = 15_000
/** A reader that lets this much pile up is cut off; its page connects again and reads the list. */
const maxBufferedBytes = 1024 * 1024

/** Sends live journeys as server-sent events until the reader goes, or is too slow. */
export function streamJourneys(
  live: Live,
  response: ServerResponse,
  headers: Readonly<Record<string, string>>,
): void {
  response.writeHead(200, {
    ...headers,
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
  })
  const write = (text: string) => {
    if (response.writableLength > maxBufferedBytes) response.destroy()
    else response.write(text)
  }
  write('retry: 2000\n\n')
  const heartbeat = setInterval(() => write(': still here\n\n'), heartbeatMs)
  const end = live.listen((summary) => write(`event: journey\ndata: ${JSON.stringify(summary)}\n\n`))
  response.once('close', () => {
    clearInterval(heartbeat)
    end()
  })
}
