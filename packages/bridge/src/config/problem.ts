import { ThroughlineError } from '@throughline/core'

/** Something wrong, or worth a warning, in a configuration file. Lines and columns are counted from 1. */
export interface Problem {
  readonly line: number
  readonly column: number
  /** `routes.readings.to.topic`; empty for the file as a whole. */
  readonly path: string
  /** What is wrong and what was expected. Never holds a secret. */
  readonly message: string
}

/** `bridge.yaml:12:7 routes.readings.to.topic: is required: expected …` */
export function problemText(file: string, { line, column, path, message }: Problem): string {
  return `${file}:${line}:${column} ${path === '' ? '' : `${path}: `}${message}`
}

/** A configuration that cannot be used. All that is wrong is reported at once. */
export class ConfigError extends ThroughlineError {
  readonly file: string
  readonly problems: readonly Problem[]
  constructor(file: string, problems: readonly Problem[], options?: ErrorOptions) {
    super('TL_CONFIG_INVALID', problems.map((problem) => problemText(file, problem)).join('\n'), options)
    this.file = file
    this.problems = problems
  }
}
