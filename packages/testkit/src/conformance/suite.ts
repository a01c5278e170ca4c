import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Case } from './case.ts'
import { endingCases } from './cases/ending.ts'
import { exactCases } from './cases/exact.ts'
import { givingUpCases } from './cases/giving-up.ts'
import { handlingCases } from './cases/handling.ts'
import { lifecycleCases } from './cases/lifecycle.ts'
import { loadCases, volumeCases } from './cases/load.ts'
import { orderCases } from './cases/order.ts'
import { outageCases } from './cases/outage.ts'
import { settlementCases } from './cases/settlement.ts'
import { sharingCases } from './cases/sharing.ts'
import { windowCases } from './cases/window.ts'
import type { Conformance, Harness } from './harness.ts'
import { openSite } from './site.ts'

const CASE_TIMEOUT_MS = 60_000
const MESSAGES = 100_000
// Generous, because a busy machine is no fault.
const PATIENCE_MS = 45_000

/** Every case, by the half that it belongs to: what docs/testkit.md lists. */
export const conformanceCases: Readonly<Record<string, readonly Case[]>> = {
  'the bare transport': [
    ...exactCases,
    ...orderCases,
    ...settlementCases,
    ...windowCases,
    ...lifecycleCases,
    ...outageCases,
    ...sharingCases,
  ],
  'the decorated subscriber': [
    ...handlingCases,
    ...givingUpCases,
    ...endingCases,
    ...loadCases,
    ...volumeCases,
  ],
}

/**
 * Registers `node:test` suites that hold a transport to the contracts of `@throughline/core`: bare, as its driver is, and
 * with core's subscription round it. A case that its features rule out, or for which the harness lacks something, is
 * reported with the reason in its title. Call it at the top of a test file.
 */
export function conformance<P extends object, S extends object>(suite: Conformance<P, S>): void {
  const { name, features, setUp, without = {}, messages = MESSAGES, patienceMs = PATIENCE_MS } = suite

  describe(name, () => {
    let harness: Harness<P, S> | null = null
    before(async () => {
      harness = await setUp()
    })
    after(() => harness?.[Symbol.asyncDispose]())

    for (const [half, cases] of Object.entries(conformanceCases)) {
      describe(half, () => {
        for (const each of cases) register(each)
      })
    }

    function register({ title, needs, inapplicable, shared = false, timeoutMs, run }: Case): void {
      const reason = inapplicable?.(features) ?? (needs === undefined ? undefined : without[needs])
      if (reason !== undefined) {
        test(`not applicable, ${reason}: ${title}`, () => undefined)
        return
      }
      test(title, { timeout: timeoutMs ?? CASE_TIMEOUT_MS }, async () => {
        assert.ok(harness)
        const site = await openSite(harness, { shared, patienceMs })
        try {
          assert.deepEqual(site.features, features, 'the suite runs by other features than the transport has')
          await run(site, { messages })
        } finally {
          await harness.network?.restore()
          await site.close()
        }
      })
    }
  })
}
