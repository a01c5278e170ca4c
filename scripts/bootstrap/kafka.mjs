import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { run, which } from './command.mjs'
import { findJava } from './java.mjs'
import { cacheFolder, repository, workFolder } from './paths.mjs'

const pom = join(repository, 'scripts/bootstrap/kafka/pom.xml')

const home = () => join(cacheFolder(), 'kafka-4.2.0')

/** What Java takes as the broker's class path. */
export const kafkaClassPath = () => join(home(), 'libs', '*')

/** A data folder as StorageTool formats it, to be copied for each new broker: asking it costs a JVM each time. */
export const formattedFolder = () => join(home(), 'formatted')

/** @type {import('./setup.mjs').Thing} */
export const kafka = {
  title: 'Kafka 4.2.0',
  needs: ['java', 'maven'],
  present: () => (existsSync(home()) ? home() : undefined),
  async provide() {
    const work = workFolder('kafka')
    try {
      const libs = join(work, 'libs')
      const java = findJava() ?? 'java'
      const goal = ['dependency:copy-dependencies', `-DoutputDirectory=${libs}`]
      const env = { JAVA_HOME: dirname(dirname(java)) }
      await run(which('mvn') ?? 'mvn', ['--batch-mode', '--quiet', '-f', pom, ...goal], { env })
      await format(java, join(libs, '*'), work)
      // The folder appears complete or not at all: what was broken off is begun again.
      renameSync(work, home())
      return `${readdirSync(join(home(), 'libs')).length} jars by Maven to ${home()}`
    } finally {
      rmSync(work, { recursive: true, force: true })
    }
  },
}

/**
 * @param {string} java
 * @param {string} classPath
 * @param {string} work
 */
async function format(java, classPath, work) {
  const config = join(work, 'format.properties')
  const settings = [
    'process.roles=broker,controller',
    'node.id=1',
    'controller.quorum.voters=1@127.0.0.1:9093',
    'listeners=PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093',
    'controller.listener.names=CONTROLLER',
    `log.dirs=${join(work, 'formatted')}`,
  ]
  writeFileSync(config, settings.join('\n'))
  const clusterId = randomBytes(16).toString('base64url')
  const quick = ['-XX:TieredStopAtLevel=1', '-Dlog4j2.level=WARN']
  await run(java, [
    ...quick,
    '-cp',
    classPath,
    'kafka.tools.StorageTool',
    'format',
    '-t',
    clusterId,
    '-c',
    config,
  ])
  rmSync(config)
}
