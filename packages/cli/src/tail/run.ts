import type { Delivery } from '@throughline/core'
import { destinationOf } from '../destination/destination.ts'
import { visible } from '../escape.ts'
import { CommandError, exitCodes } from '../failure.ts'
import { interrupted } from '../signals.ts'
import { filterOf } from './filter.ts'
import { viewJson } from './json.ts'
import type { TailOptions } from './options.ts'
import { print } from './print.ts'
import { readEach } from './read.ts'
import { viewText } from './text.ts'
import { viewOf } from './view.ts'

/** Prints messages until it is told to end, or `limit` were printed. Throws where it cannot read. */
export async function tail(url: string, options: TailOptions): Promise<void> {
  const { from, filter, limit = Number.POSITIVE_INFINITY, json, full, cut } = options
  const destination = await destinationOf(url)
  if (from !== undefined && !destination.takes.has('from')) {
    throw new CommandError(
      'TL_USAGE',
      `--from means nothing to ${destination.text}: it keeps no messages`,
      exitCodes.usage,
    )
  }
  const isShown = filterOf(filter ?? [])
  const source = destination.source(from === undefined ? {} : { from })
  const style = { cut: full ? Number.POSITIVE_INFINITY : cut, colours: hasColours() }
  const stop = new AbortController()
  const end = () => stop.abort()
  void interrupted().then(end)
  // Whoever reads the output may have seen enough: `| head`.
  process.stdout.on('error', end)
  let shown = 0

  async function onDelivery(delivery: Delivery): Promise<void> {
    const view = viewOf(delivery, source, Date.now())
    if (!isShown(view)) return
    shown++
    if (shown >= limit) end()
    await print(process.stdout, json ? `${viewJson(view)}\n` : viewText(view, style))
  }

  try {
    await readEach(
      source.subscriber,
      {
        onDelivery,
        onReady: () => say(`${source.doing}; Ctrl-C ends it`),
        onLost: (error, retryMs) => say(`${error.message}; trying again in ${retryMs} ms`),
      },
      stop.signal,
    )
  } finally {
    await source.subscriber.close()
  }
}

function say(text: string): void {
  process.stderr.write(`tail: ${visible(text)}\n`)
}

/** On a terminal that has them, unless NO_COLOR is set (no-color.org). */
function hasColours(): boolean {
  if (process.env.NO_COLOR) return false
  return process.stdout.isTTY && process.stdout.hasColors()
}
