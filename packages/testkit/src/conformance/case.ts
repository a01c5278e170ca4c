import type { Features } from '@throughline/core'
import type { Capability } from './harness.ts'
import type { Site } from './site.ts'

/** One behaviour that every transport of the right features has. */
export interface Case {
  /** A plain sentence; what is given here is what docs/testkit.md lists. */
  readonly title: string
  /** Why it does not apply to a transport; null where it does. */
  readonly inapplicable?: (features: Features) => string | null
  readonly needs?: Capability
  /** Whether several subscribers share the place. Default false. */
  readonly shared?: boolean
  /** Milliseconds. Default 60 000. */
  readonly timeoutMs?: number
  readonly run: (site: Site, amount: { readonly messages: number }) => Promise<void>
}
