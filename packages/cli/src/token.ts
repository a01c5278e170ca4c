import { readFileSync } from 'node:fs'
import { CommandError, exitCodes } from './failure.ts'

/**
 * The token in a file: its text without the blanks around it. A file, because arguments are seen by everybody who lists
 * processes.
 *
 * @throws CommandError for a file that cannot be read or holds no token that fits into an HTTP header.
 */
export function readToken(file: string): string {
  let token: string
  try {
    token = readFileSync(file, 'utf8').trim()
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new CommandError('TL_BAD_TOKEN_FILE', `the token cannot be read: ${reason}`, exitCodes.usage)
  }
  if (/^[\x21-\x7e]+$/.test(token)) return token
  const message = `${file} is to hold a token alone: visible ASCII characters without blanks between`
  throw new CommandError('TL_BAD_TOKEN_FILE', message, exitCodes.usage)
}
