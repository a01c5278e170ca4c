import { generate, type SelfsignedOptions } from 'selfsigned'

/** A key and its certificate, as PEM. */
export interface Identity {
  readonly key: string
  readonly cert: string
}

/** An authority made for one test, and what it has signed. */
export interface Certificates {
  /** The authority's certificate, as PEM. */
  readonly ca: string
  /** For `localhost` and 127.0.0.1. */
  readonly server: Identity
  readonly client: Identity
  /** A client of another authority. */
  readonly stranger: Identity
}

const LIFETIME_MS = 86_400_000

export async function makeCertificates(): Promise<Certificates> {
  const [authority, other] = await Promise.all([makeAuthority('authority'), makeAuthority('other')])
  const names = [
    { type: 2 as const, value: 'localhost' },
    { type: 7 as const, ip: '127.0.0.1' },
  ]
  const server = { extensions: [{ name: 'subjectAltName' as const, altNames: names }] }
  return {
    ca: authority.cert,
    server: await make('localhost', { ...server, ca: authority }),
    client: await make('client', { ca: authority }),
    stranger: await make('stranger', { ca: other }),
  }
}

function makeAuthority(name: string): Promise<Identity> {
  const extensions = [{ name: 'basicConstraints' as const, cA: true, critical: true }]
  return make(name, { extensions })
}

async function make(commonName: string, options: SelfsignedOptions): Promise<Identity> {
  const now = Date.now()
  const { private: key, cert } = await generate([{ name: 'commonName', value: commonName }], {
    keyType: 'ec',
    algorithm: 'sha256',
    // Clocks that differ a little must not fail a test.
    notBeforeDate: new Date(now - LIFETIME_MS),
    notAfterDate: new Date(now + LIFETIME_MS),
    ...options,
  })
  return { key, cert }
}
