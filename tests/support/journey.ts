import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Explorer, type Journey, startExplorer } from '@throughline/explorer'
import { eventually } from '@throughline/testkit'

/** An explorer on free ports, with a store that goes with it. */
export async function temporaryExplorer(): Promise<Explorer & AsyncDisposable> {
  const folder = await mkdtemp(join(tmpdir(), 'throughline-explorer-'))
  const explorer = await startExplorer({ listen: '127.0.0.1:0', otlpHttp: '127.0.0.1:0', dataDir: folder })
  return {
    ...explorer,
    async [Symbol.asyncDispose]() {
      await explorer.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** What the explorer's API answers for an id. Fails where that is not 200. */
export async function fetchJourney(explorer: Explorer, id: string): Promise<Journey> {
  const response = await fetch(new URL(`/api/journeys/${encodeURIComponent(id)}`, explorer.url))
  assert.equal(response.status, 200)
  // The API under test is what the type describes; the assertions that follow look at its members.
  return (await response.json()) as Journey
}

/** The same once the journey has that many spans: services export in their own time. */
export function journeyWith(explorer: Explorer, id: string, spans: number): Promise<Journey> {
  return eventually(
    async () => {
      const journey = await fetchJourney(explorer, id)
      assert.equal(journey.spans.length, spans)
      return journey
    },
    { timeoutMs: 20_000 },
  )
}
