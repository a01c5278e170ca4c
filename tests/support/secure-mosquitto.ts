import { pbkdf2Sync, randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { eventually } from '@throughline/testkit'
import { mosquittoWith } from '../../scripts/brokers/mosquitto.ts'
import { freePorts } from '../../scripts/brokers/ports.ts'
import { end, launch } from '../../scripts/brokers/process.ts'
import { type Certificates, makeCertificates } from './certificates.ts'

export const PASSWORD = 'correct-horse'

/** A Mosquitto of its own with every way in that it has, by the URL of each. */
export interface SecureMosquitto extends AsyncDisposable {
  /** For the user alice alone, who may not publish to or subscribe to `forbidden`. */
  readonly login: string
  /** TLS. */
  readonly tls: string
  /** TLS that asks for a certificate which our authority has signed. */
  readonly certified: string
  readonly ws: string
  readonly wss: string
  readonly certificates: Certificates
}

/** Starts it and returns when it answers; ends it and removes its folder when it is disposed. */
export async function startSecureMosquitto(): Promise<SecureMosquitto> {
  const dir = mkdtempSync(join(tmpdir(), 'throughline-mosquitto-'))
  const certificates = await makeCertificates()
  function file(name: string, text: string): string {
    writeFileSync(join(dir, name), text, { mode: 0o600 })
    return join(dir, name)
  }
  const { ca, server } = certificates
  const tls = [`certfile ${file('server.crt', server.cert)}`, `keyfile ${file('server.key', server.key)}`]
  const open = 'allow_anonymous true'
  const broker = mosquittoWith([
    [
      'allow_anonymous false',
      `password_file ${file('passwords', `alice:${hashed(PASSWORD)}\n`)}`,
      `acl_file ${file('acl', 'user alice\ntopic readwrite #\ntopic deny forbidden\n')}`,
    ],
    [open, ...tls],
    [open, ...tls, `cafile ${file('ca.crt', ca)}`, 'require_certificate true'],
    [open, 'protocol websockets'],
    [open, 'protocol websockets', ...tls],
  ])
  const ports = await freePorts(broker.portCount)
  const process = launch(broker.prepare(dir, ports))
  async function stop(): Promise<void> {
    await end(process)
    rmSync(dir, { recursive: true, force: true })
  }
  const [plain = 0, login, tlsPort, certified, ws, wss] = ports
  try {
    await eventually(
      async () => {
        if (!(await broker.isReady(plain))) throw new Error(readFileSync(join(dir, 'mosquitto.log'), 'utf8'))
      },
      { timeoutMs: 30_000 },
    )
  } catch (error) {
    await stop()
    throw error
  }
  return {
    login: `mqtt://127.0.0.1:${login}`,
    tls: `mqtts://127.0.0.1:${tlsPort}`,
    certified: `mqtts://127.0.0.1:${certified}`,
    ws: `ws://127.0.0.1:${ws}/mqtt`,
    wss: `wss://127.0.0.1:${wss}/mqtt`,
    certificates,
    [Symbol.asyncDispose]: stop,
  }
}

/** As mosquitto_passwd writes it. */
function hashed(password: string): string {
  const [salt, iterations] = [randomBytes(12), 101]
  const hash = pbkdf2Sync(password, salt, iterations, 64, 'sha512')
  return `$7$${iterations}$${salt.toString('base64')}$${hash.toString('base64')}`
}
