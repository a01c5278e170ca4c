import { type Problem, UnavailableError } from '@throughline/core'
import { createBudget } from './budget.ts'
import type { Log } from './log.ts'
import type { Outage } from './outage.ts'

/** Lines about single events, so that a flood of bad ones does not become a flood of lines. */
const LINES = 20
const INTERVAL_MS = 10_000

/** Says in the log what a route's subscription tells of. */
export function createReport(log: Log, label: string, source: Outage): (problem: Problem) => void {
  const within = createBudget(LINES, INTERVAL_MS)

  return (problem) => {
    switch (problem.kind) {
      case 'connected':
        source.up()
        return
      case 'disconnected':
        source.down(problem.error)
        return
      case 'dropped':
        // What is lost on request is said every time.
        log.error(`${label}: ${problem.position} was dropped: ${problem.error.message}`)
        return
      case 'retry':
        // That the target is away is said once for all events.
        if (problem.error instanceof UnavailableError) return
    }
    within((keptBack) => {
      const more = keptBack === 0 ? '' : ` (${keptBack} lines like this were kept back)`
      const level = problem.kind === 'rejected' ? 'info' : 'warn'
      log[level](`${label}: ${sentence(problem)}${more}`)
    })
  }
}

function sentence(problem: Problem): string {
  switch (problem.kind) {
    case 'retry':
      return `${problem.position} failed at attempt ${problem.attempt}: ${problem.error.message}; again in ${problem.retryMs} ms`
    case 'dead-lettered':
      return `${problem.position} went to the dead letters: ${problem.error.message}`
    case 'rejected':
      return `refused an event: ${problem.error.message}`
    case 'settle-failed':
      return `settling failed: ${problem.error.message}`
    default:
      return problem.kind
  }
}
