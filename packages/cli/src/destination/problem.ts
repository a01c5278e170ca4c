import { PermanentError } from '@throughline/core'
import { CommandError, exitCodes } from '../failure.ts'

/** A destination that cannot be one. */
export function usage(message: string, options?: ErrorOptions): CommandError {
  return new CommandError('TL_BAD_DESTINATION', message, exitCodes.usage, options)
}

/** What making a transport refuses is wrong from the start: nothing has been connected to yet. */
export function made<T>(make: () => T): T {
  try {
    return make()
  } catch (error) {
    if (error instanceof PermanentError) throw usage(error.message, { cause: error })
    throw error
  }
}
