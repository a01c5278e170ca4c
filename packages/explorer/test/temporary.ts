import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { type Explorer, type ExplorerOptions, startExplorer } from '@throughline/explorer'
import type { Journey } from '../src/api/schema.ts'
import { buildJourney } from '../src/journey/build.ts'
import type { Start } from '../src/journey/collect.ts'
import { decodeJsonRequest } from '../src/otlp/json.ts'
import { intakeOf } from '../src/otlp/request.ts'
import { openSqliteStore, type SqliteStoreOptions } from '../src/store/sqlite/engine.ts'
import type { SpanStore } from '../src/store/store.ts'
import { recordsOf, type SpanSpec, traceId } from './otlp-json.ts'
import { sharedFile } from './shared-data.ts'

/** A folder that is gone after the test. */
export function temporaryFolder(context: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'throughline-explorer-'))
  context.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** An empty store that is closed after the test. */
export function temporaryStore(context: TestContext, options: Partial<SqliteStoreOptions> = {}): SpanStore {
  const retention = { maxAgeMs: 7 * 24 * 3_600_000, maxBytes: 2 ** 31 }
  const store = openSqliteStore({ dataDir: temporaryFolder(context), retention, ...options })
  context.after(() => store.close())
  return store
}

/** A store with these spans in it. */
export function storeOf(
  context: TestContext,
  specs: readonly SpanSpec[],
  options: Partial<SqliteStoreOptions> = {},
): SpanStore {
  const store = temporaryStore(context, options)
  store.append(recordsOf(specs))
  return store
}

/** A store with what a file of the shared test data holds, an OTLP/JSON request such as `golden/otlp.json`. */
export function storeOfShared(context: TestContext, path: string): SpanStore {
  const store = temporaryStore(context)
  store.append(intakeOf(decodeJsonRequest(sharedFile(path))).records)
  return store
}

/** The journey of an event, a trace (`trace: '1'`) or what else; fails when there is none. Spans count as exported long ago. */
export function journeyIn(
  store: SpanStore,
  start: Start | { readonly trace: string } | { readonly event: string },
  budget?: number,
): Journey {
  const from: Start =
    'kind' in start
      ? start
      : 'trace' in start
        ? { kind: 'trace', traceId: traceId(start.trace) }
        : { kind: 'event', event: { id: start.event, source: null } }
  const journey = buildJourney(store, from, {
    nowUnixMs: Date.now() + 3_600_000,
    ...(budget ? { budget } : {}),
  })
  if (!journey) throw new Error(`no journey of ${JSON.stringify(start)}`)
  return journey
}

/** A running explorer on free ports that is closed after the test. */
export async function temporaryExplorer(
  context: TestContext,
  options: Partial<ExplorerOptions> = {},
): Promise<Explorer> {
  const explorer = await startExplorer({
    listen: '127.0.0.1:0',
    otlpHttp: '127.0.0.1:0',
    dataDir: temporaryFolder(context),
    ...options,
  })
  context.after(() => explorer.close())
  return explorer
}

/** Sends a file of the shared test data, an OTLP/JSON request, to a running explorer. */
export async function sendShared(explorer: Explorer, path: string): Promise<void> {
  const headers = { 'content-type': 'application/json' }
  await fetch(`${explorer.otlpUrl}/v1/traces`, { method: 'POST', headers, body: sharedFile(path) })
}
