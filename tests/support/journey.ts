import assert from 'node:assert/strict'
import type { Explorer, Journey } from '@throughline/explorer'
import { eventually } from '@throughline/testkit'

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
