import { getNumberFromEnv, getStringFromEnv } from '@opentelemetry/core'
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  ParentBasedSampler,
  type Sampler,
  TraceIdRatioBasedSampler,
} from '@opentelemetry/sdk-trace'
import { CommandError, exitCodes } from './failure.ts'

/**
 * The sampler that `OTEL_TRACES_SAMPLER` and `OTEL_TRACES_SAMPLER_ARG` name (OpenTelemetry, SDK environment variables:
 * the SDK leaves reading them to its user); undefined where they name none, which is `parentbased_always_on`.
 *
 * @throws CommandError for a name or ratio that is not one: sampling other than asked for costs money or traces.
 */
export function samplerFromEnv(): Sampler | undefined {
  const name = getStringFromEnv('OTEL_TRACES_SAMPLER')
  switch (name) {
    case undefined:
      return undefined
    case 'always_on':
      return new AlwaysOnSampler()
    case 'always_off':
      return new AlwaysOffSampler()
    case 'traceidratio':
      return new TraceIdRatioBasedSampler(ratio())
    case 'parentbased_always_on':
      return new ParentBasedSampler({ root: new AlwaysOnSampler() })
    case 'parentbased_always_off':
      return new ParentBasedSampler({ root: new AlwaysOffSampler() })
    case 'parentbased_traceidratio':
      return new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(ratio()) })
    default:
      throw usage(
        `OTEL_TRACES_SAMPLER is "${name}"; expected always_on, always_off, traceidratio or parentbased_ and one of these`,
      )
  }
}

function ratio(): number {
  const text = getStringFromEnv('OTEL_TRACES_SAMPLER_ARG')
  if (text === undefined) return 1
  const value = getNumberFromEnv('OTEL_TRACES_SAMPLER_ARG')
  if (value !== undefined && value >= 0 && value <= 1) return value
  throw usage(`OTEL_TRACES_SAMPLER_ARG is "${text}"; expected a number from 0 to 1`)
}

const usage = (message: string) => new CommandError('TL_BAD_SAMPLER', message, exitCodes.usage)
