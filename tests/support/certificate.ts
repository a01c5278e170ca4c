import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { findJava } from '../../scripts/bootstrap/java.mjs'

const run = promisify(execFile)
const passphrase = 'changeit'

/** A key and its certificate for 127.0.0.1, which signed itself. */
export interface KeyPair {
  /** PKCS #12: certificate and key. */
  readonly file: string
  readonly pfx: Buffer
  readonly passphrase: string
  /** The certificate as PEM: what trusts it. */
  readonly certificate: string
}

/** Makes one in a folder, by the JDK's keytool. */
export async function keyPair(dir: string, name: string): Promise<KeyPair> {
  const file = join(dir, `${name}.p12`)
  await keytool('-genkeypair', '-alias', name, '-keystore', file, ...key, '-dname', `CN=${name}`)
  const certificate = await keytool('-exportcert', '-rfc', '-alias', name, '-keystore', file)
  return { file, pfx: readFileSync(file), passphrase, certificate }
}

const key = [
  ...['-keyalg', 'EC', '-groupname', 'secp256r1', '-validity', '2'],
  ...['-ext', 'san=ip:127.0.0.1,dns:localhost'],
]

/** What the JDK's keytool prints; stores are PKCS #12. */
export async function keytool(...args: readonly string[]): Promise<string> {
  const command = join(dirname(findJava() ?? 'java'), 'keytool')
  const { stdout } = await run(command, [...args, '-storetype', 'PKCS12', '-storepass', passphrase])
  return stdout
}
