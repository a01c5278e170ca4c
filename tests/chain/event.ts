/** CloudEvents attributes as headers of a message, written by hand. */
export function headersOf(event: Readonly<Record<string, string>>, prefix: string): Record<string, string> {
  return Object.fromEntries(Object.entries(event).map(([name, value]) => [`${prefix}${name}`, value]))
}

/** The same event for the next service. `header`: the value of a header of the message that was read. */
export function eventIn(header: (name: string) => unknown): Record<string, string> {
  const names = ['id', 'source', 'type', 'specversion', 'subject']
  return Object.fromEntries(names.map((name) => [name, String(header(name))]))
}

export function env(name: string): string {
  const value = process.env[name]
  if (value === undefined) throw new Error(`${name} is not set`)
  return value
}

/** Says that the service is ready, and runs until it is asked to end. */
export function ready(close: () => unknown): void {
  process.once('SIGTERM', close)
  console.log('ready')
}
