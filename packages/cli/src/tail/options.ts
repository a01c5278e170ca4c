/** What the command line of `tail` says, by its options' names. */
export interface TailOptions {
  readonly from?: 'earliest' | 'latest' | Date
  readonly filter?: readonly string[]
  readonly limit?: number
  readonly full?: true
  readonly cut: number
  readonly json?: true
}
