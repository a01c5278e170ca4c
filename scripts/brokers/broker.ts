import type { LaunchSpec } from './process.ts'

/** How one kind of broker is started and asked whether it is ready. */
export interface Broker {
  /** What messages call it. */
  title: string
  /** How many ports it needs; the first one is its clients'. */
  portCount: number
  /** How its clients are given its address. */
  address(port: number): string
  /** Writes what it needs into its folder (data that is there stays) and says how to start it. */
  prepare(dir: string, ports: readonly number[]): LaunchSpec
  /** Whether it answers a client's first request. */
  isReady(port: number): Promise<boolean>
  /** Ends what outlives its process. */
  cleanUp?(ports: readonly number[]): Promise<void>
}
