import { InvalidArgumentError } from 'commander'

/** Where a server listens. */
export interface Address {
  readonly host: string
  readonly port: number
}

/** `127.0.0.1:9090` or `[::1]:9090`; port 0 takes a free one. Throws InvalidArgumentError. */
export function parseAddress(text: string): Address {
  const [, host, digits] = /^([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]):(\d{1,5})$/.exec(text) ?? []
  const port = Number(digits)
  if (host === undefined || port > 65_535)
    throw new InvalidArgumentError('Expected host:port such as 127.0.0.1:9090.')
  return { host: host.replace(/^\[|\]$/g, ''), port }
}
