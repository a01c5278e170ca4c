/** Facts beside a log line's sentence; never secrets. */
export type Fields = Readonly<Record<string, string | number | boolean | undefined>>

/** Where the bridge says what happens. One clear sentence a line. */
export interface Log {
  /** What went as it should. */
  info(sentence: string, fields?: Fields): void
  /** What goes on, and somebody should know of. */
  warn(sentence: string, fields?: Fields): void
  /** What was given up. */
  error(sentence: string, fields?: Fields): void
}

type Level = 'info' | 'warn' | 'error'

/** How lines are written, and what must not stand in them. */
export interface LogOptions {
  /** Default: `human` when the stream is a terminal, else `json`, one object a line. */
  readonly format?: 'human' | 'json'
  /** Values to be kept out of every line: `Config.secrets`. */
  readonly secrets?: readonly string[]
}

/** A secret this short would also be found in what is none. */
const MIN_SECRET = 3

/** A log on a stream; standard error by default. */
export function createLog(
  stream: Pick<NodeJS.WriteStream, 'write' | 'isTTY'> = process.stderr,
  { format = stream.isTTY ? 'human' : 'json', secrets = [] }: LogOptions = {},
): Log {
  const hidden = secrets.filter((secret) => secret.length >= MIN_SECRET)

  function redact(text: string): string {
    return hidden.reduce((shown, secret) => shown.replaceAll(secret, '***'), text)
  }

  function write(level: Level, said: string, given: Fields = {}): void {
    const time = new Date().toISOString()
    // Before encoding: a secret with a quote in it would be written differently.
    const sentence = redact(said)
    const fields = Object.fromEntries(
      Object.entries(given).map(([name, value]) => [name, typeof value === 'string' ? redact(value) : value]),
    )
    const line =
      format === 'json'
        ? JSON.stringify({ time, level, message: sentence, ...fields })
        : `${time.slice(11, 23)} ${level === 'info' ? '' : `${level}: `}${sentence}${suffix(fields)}`
    stream.write(`${line}\n`)
  }

  return {
    info: (sentence, fields) => write('info', sentence, fields),
    warn: (sentence, fields) => write('warn', sentence, fields),
    error: (sentence, fields) => write('error', sentence, fields),
  }
}

function suffix(fields: Fields): string {
  const given = Object.entries(fields).filter(([, value]) => value !== undefined)
  return given.length === 0 ? '' : ` (${given.map(([name, value]) => `${name}=${value}`).join(' ')})`
}
