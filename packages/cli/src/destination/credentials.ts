import type { DestinationUrl } from './url.ts'

export interface Credentials {
  readonly user: string | undefined
  readonly password: string | undefined
}

/**
 * Those of the URL, and where it has none those of the environment: arguments are seen by everybody who lists processes.
 * `THROUGHLINE_USERNAME`, `THROUGHLINE_PASSWORD`.
 */
export function credentialsOf({ user, password }: DestinationUrl, env: NodeJS.ProcessEnv): Credentials {
  return {
    user: user ?? (env.THROUGHLINE_USERNAME || undefined),
    password: password ?? (env.THROUGHLINE_PASSWORD || undefined),
  }
}
