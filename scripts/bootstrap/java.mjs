import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { isExecutable, run, which } from './command.mjs'
import { aptInstall, firstAvailable, hasApt } from './debian.mjs'
import { SetupError } from './setup.mjs'

const oldest = 17
const withDocker =
  'or, with Docker: docker compose up -d --wait, then set KAFKA_BROKERS=127.0.0.1:9092 MQTT_URL=mqtt://127.0.0.1:1883 AMQP_URL=amqp://127.0.0.1:5672'

/** The `java` of a runtime that is new enough for Kafka 4, or nothing. */
export function findJava() {
  const home = process.env.JAVA_HOME
  const folders = ['/usr/lib/jvm', '/Library/Java/JavaVirtualMachines', '/opt/homebrew/opt', '/usr/local/opt']
  const installed = folders
    .filter((folder) => existsSync(folder))
    .flatMap((folder) => readdirSync(folder).map((name) => join(folder, name)))
    .flatMap((folder) => [join(folder, 'bin/java'), join(folder, 'Contents/Home/bin/java')])
  const candidates = [home && join(home, 'bin/java'), which('java'), ...installed]
  return (
    candidates.find((path) => path !== undefined && path !== '' && javaVersion(path) >= oldest) || undefined
  )
}

/**
 * The major version that the runtime's own `release` file names; starting a JVM to ask it takes far longer.
 *
 * @param {string} java
 */
function javaVersion(java) {
  if (!isExecutable(java)) return 0
  const release = join(dirname(dirname(realpathSync(java))), 'release')
  if (!existsSync(release)) return 0
  const [, version] = /^JAVA_VERSION="(\d+)/m.exec(readFileSync(release, 'utf8')) ?? []
  return Number(version ?? 0)
}

/** @type {import('./setup.mjs').Thing} */
export const java = {
  title: `Java ${oldest} or newer`,
  needs: [],
  present: findJava,
  async provide() {
    if (hasApt()) {
      const packages = ['openjdk-17-jre-headless', 'openjdk-21-jre-headless', 'openjdk-25-jre-headless']
      const found = (await firstAvailable(packages)) ?? 'default-jre-headless'
      // Maven, which a machine without Java lacks too, in the same step: one command to run where this one may not.
      await aptInstall('Java, which runs Kafka', which('mvn') ? [found] : [found, 'maven'])
    } else if (which('brew')) await run('brew', ['install', 'openjdk@21'])
    const path = findJava()
    if (path) return path
    throw new SetupError(
      'Java, which runs Kafka',
      'none was found',
      `install Java ${oldest} or newer; ${withDocker}`,
    )
  },
}

/** @type {import('./setup.mjs').Thing} */
export const maven = {
  title: 'Maven',
  needs: ['java'],
  present: () => which('mvn'),
  async provide() {
    if (hasApt()) await aptInstall('Maven, which fetches Kafka', ['maven'])
    else if (which('brew')) await run('brew', ['install', 'maven'])
    const path = which('mvn')
    if (path) return path
    throw new SetupError('Maven, which fetches Kafka', 'it was not found', `install Maven 3; ${withDocker}`)
  },
}
