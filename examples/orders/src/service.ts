import type { Problem, Subscription } from '@throughline/core'
import { shutdownTelemetry } from '@throughline/example-telemetry'
import { ended } from '@throughline/example-telemetry/end'

/** What every service here does the same way. */

export const serviceName = process.env.OTEL_SERVICE_NAME ?? 'service'

export const log = (text: string): void => console.error(`${serviceName}: ${text}`)

export function onProblem(problem: Problem): void {
  if ('error' in problem) log(`${problem.kind}: ${problem.error.message}`)
}

/** Goes on until the process is asked to end or the subscription gives up; then closes and sends the last spans. */
export async function untilEnded(
  brokers: readonly { close(): Promise<void> }[],
  subscription?: Subscription,
): Promise<void> {
  await Promise.race([ended(), ...(subscription === undefined ? [] : [subscription.closed])])
  for (const broker of brokers) await broker.close()
  await shutdownTelemetry()
}
