import { ThroughlineError } from '@throughline/core'

/** Where a server listens. */
export interface ListenAddress {
  readonly host: string
  readonly port: number
}

/** `host:port`, `:port` or `port`; loopback when no host is named. Throws ThroughlineError. */
export function parseListen(text: string): ListenAddress {
  const match = /^(?:(?:\[([0-9A-Fa-f:.%]+)\]|([^:[\]\s]*)):)?(\d{1,5})$/.exec(text.trim())
  const port = Number(match?.[3] ?? -1)
  if (match === null || port > 65_535) {
    throw new ThroughlineError(
      'TL_LISTEN_INVALID',
      `listen: ${JSON.stringify(text)} is no address; expected host:port, such as 127.0.0.1:8081`,
    )
  }
  const host = match[1] ?? match[2] ?? ''
  return { host: host === '' ? '127.0.0.1' : host, port }
}

/** One sentence for what keeps a server from listening. */
export function listenError(error: NodeJS.ErrnoException, address: ListenAddress): ThroughlineError {
  const where = addressText(address)
  switch (error.code) {
    case 'EADDRINUSE':
      return new ThroughlineError(
        'TL_PORT_TAKEN',
        `cannot listen on ${where}: the port is taken; end the process that has it or choose another port`,
        { cause: error },
      )
    case 'EACCES':
      return new ThroughlineError(
        'TL_PORT_FORBIDDEN',
        `cannot listen on ${where}: this user may not use that port; choose one above 1023`,
        { cause: error },
      )
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return new ThroughlineError(
        'TL_LISTEN_INVALID',
        `cannot listen on ${where}: this machine has no such address`,
        { cause: error },
      )
    default:
      return new ThroughlineError('TL_LISTEN_FAILED', `cannot listen on ${where}: ${error.message}`, {
        cause: error,
      })
  }
}

export function addressText({ host, port }: ListenAddress): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}
