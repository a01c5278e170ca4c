import { pattern } from './field.ts'

/** What connections and routes may be called. */
const NAME = /^[A-Za-z][A-Za-z0-9_-]*$/
export const name = pattern('a name: a letter, then letters, digits, - and _', NAME)
