import { readFileSync } from 'node:fs'
import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { isLoopbackName } from './access.ts'
import { AddressError, hasCode, PortTakenError } from './errors.ts'
import { liveJourneys } from './journey/live.ts'
import { intakeQueue } from './otlp/intake-queue.ts'
import { otlpReceiver } from './otlp/receiver.ts'
import { explorerServer } from './server.ts'
import { openSqliteStore } from './store/sqlite/engine.ts'

export type { Journey, JourneyList, JourneySummary } from './api/schema.ts'
export { AddressError, DataDirError, ExplorerError, PortTakenError, StoreFullError } from './errors.ts'
export { type JourneyJson, missingOf, toJourneyJson } from './journey/json.ts'
export { durationText, renderJourneyText } from './journey/text.ts'

/** Where it listens, where it keeps spans, and for how long. */
export interface ExplorerOptions {
  /** `host:port` of page and API; port 0 takes a free one. Default `127.0.0.1:4319`. */
  readonly listen?: string
  /** `host:port` for OTLP/HTTP. Default `127.0.0.1:4318`. */
  readonly otlpHttp?: string
  /** Folder for the spans; made where it is absent. */
  readonly dataDir: string
  /** Default 7 days and 2 GiB. Whole files are dropped, oldest first. */
  readonly retention?: { readonly maxAgeMs?: number; readonly maxBytes?: number }
  /** Folder of the built page. */
  readonly uiDir?: string
  /** Asked for by API and OTLP as `Authorization: Bearer …`; needed to listen beyond loopback. */
  readonly token?: string
  /** Gets one sentence about what the operator should know. Default: nothing is said. */
  readonly log?: (message: string) => void
}

/** A running explorer. */
export interface Explorer {
  /** Page and API, e.g. `http://127.0.0.1:4319`. */
  readonly url: string
  /** Base of OTLP/HTTP: what `OTEL_EXPORTER_OTLP_ENDPOINT` is set to. */
  readonly otlpUrl: string
  /** Stops listening, finishes what was begun and lets the data folder go. */
  close(): Promise<void>
}

const dayMs = 24 * 60 * 60 * 1_000
const retainEveryMs = 30_000
const packageSchema = z.object({ version: z.string() })

/**
 * Starts an explorer: store, OTLP receiver, API and page.
 * @throws AddressError when an address cannot be read or bound, or is wider than loopback and there is no token
 * @throws PortTakenError when another program listens there
 * @throws DataDirError when the folder cannot be used or another explorer has it
 */
export async function startExplorer(options: ExplorerOptions): Promise<Explorer> {
  const { dataDir, log = () => {} } = options
  const token = options.token || null
  const page = addressOf('listen', options.listen ?? '127.0.0.1:4319', token)
  const otlp = addressOf('otlpHttp', options.otlpHttp ?? '127.0.0.1:4318', token)
  const retention = {
    maxAgeMs: options.retention?.maxAgeMs ?? 7 * dayMs,
    maxBytes: options.retention?.maxBytes ?? 2 * 1024 ** 3,
  }
  const store = openSqliteStore({ dataDir, retention, log })
  const live = liveJourneys(store, log)
  let otlpUrl: string | null = null
  const receiver = otlpReceiver({ queue: intakeQueue(store, live.kept), token, log })
  const server = explorerServer({
    store,
    live,
    retention,
    version: packageSchema.parse(
      JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')),
    ).version,
    otlpHttp: () => otlpUrl,
    host: page.host,
    token,
    uiDir: options.uiDir ?? null,
    log,
  })
  const retain = () => {
    try {
      store.retain(Date.now())
    } catch (error) {
      log(`old spans could not be dropped: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  retain()
  const retaining = setInterval(retain, retainEveryMs)

  async function close(): Promise<void> {
    clearInterval(retaining)
    await receiver.close()
    live.close()
    await server.close()
    store.close()
  }

  try {
    otlpUrl = await listen(receiver, otlp, 'the OTLP receiver')
    return { url: await listen(server, page, 'the explorer'), otlpUrl, close }
  } catch (error) {
    await close()
    throw error
  }
}

interface Address {
  readonly host: string
  readonly port: number
}

function addressOf(option: string, text: string, token: string | null): Address {
  const match = /^(?:(\[[0-9a-f:.]+\]|[^:[\]\s]+):)?(\d{1,5})$/i.exec(text)
  const port = Number(match?.[2])
  if (!match || port > 65_535)
    throw new AddressError(
      'TL_BAD_ADDRESS',
      `${option}: expected host:port such as 127.0.0.1:4319, got "${text}"`,
    )
  const host = (match[1] ?? '127.0.0.1').replace(/^\[|\]$/g, '')
  if (token === null && !isLoopbackName(host))
    throw new AddressError(
      'TL_TOKEN_REQUIRED',
      `${option}: ${text} can be reached from other machines, which needs a token: set one, or listen on 127.0.0.1`,
    )
  return { host, port }
}

async function listen(app: FastifyInstance, { host, port }: Address, what: string): Promise<string> {
  const shown = host.includes(':') ? `[${host}]` : host
  try {
    await app.listen({ host, port })
  } catch (error) {
    if (hasCode(error, 'EADDRINUSE')) throw new PortTakenError(what, `${shown}:${port}`)
    const reason = error instanceof Error ? error.message : String(error)
    throw new AddressError('TL_BAD_ADDRESS', `${what} cannot listen on ${shown}:${port}: ${reason}`, {
      cause: error,
    })
  }
  const address = app.server.address()
  const bound = typeof address === 'object' && address ? address.port : port
  return `http://${shown}:${bound}`
}
