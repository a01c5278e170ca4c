import { cpSync, existsSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { findJava } from '../bootstrap/java.mjs'
import { formattedFolder, kafkaClassPath } from '../bootstrap/kafka.mjs'
import type { Broker } from './broker.ts'
import { answers } from './ports.ts'

// ApiVersions (key 18) version 0 with correlation id 1 and no client id, preceded by its length.
const apiVersionsRequest = Buffer.from([0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 1, 0xff, 0xff])

/** What a broker has beside the plain listener, for tests of logins and TLS. */
export interface KafkaExtras {
  /** Security protocol of each further listener by its name, in capitals; their ports follow the controller's. Advertised as `localhost`. */
  listeners: Readonly<Record<string, 'SSL' | 'SASL_PLAINTEXT' | 'SASL_SSL'>>
  settings: Readonly<Record<string, string | number>>
}

export const kafka: Broker = kafkaWith({ listeners: {}, settings: {} })

/** A broker of Kafka with more listeners and settings than every test needs. */
export function kafkaWith({ listeners, settings: more }: KafkaExtras): Broker {
  const names = Object.keys(listeners)
  return {
    title: 'Kafka',
    portCount: 2 + names.length,
    address: (port) => `127.0.0.1:${port}`,
    prepare(dir, [port = 0, controllerPort = 0, ...ports]) {
      const data = join(dir, 'data')
      if (!existsSync(data)) {
        // In one step: half a copy would never start again.
        cpSync(formattedFolder(), `${data}.new`, { recursive: true })
        renameSync(`${data}.new`, data)
      }
      const config = join(dir, 'server.properties')
      const own = settings(data, port, controllerPort)
      const placesAt = (host: string) => names.map((name, index) => `${name}://${host}:${ports[index] ?? 0}`)
      const protocols = Object.entries({ ...plainListeners, ...listeners })
      const all = {
        ...own,
        listeners: [own.listeners, ...placesAt('127.0.0.1')].join(),
        'advertised.listeners': [own['advertised.listeners'], ...placesAt('localhost')].join(),
        'listener.security.protocol.map': protocols.map(([name, protocol]) => `${name}:${protocol}`).join(),
        ...more,
      }
      writeFileSync(config, properties(all))
      const logging = join(dir, 'log4j2.properties')
      writeFileSync(logging, properties(logSettings))
      return {
        command: findJava() ?? 'java',
        args: [
          ...javaOptions,
          `-Dlog4j2.configurationFile=${logging}`,
          '-cp',
          kafkaClassPath(),
          'kafka.Kafka',
          config,
        ],
        logFile: join(dir, 'kafka.log'),
      }
    },
    // The answer's error code stands behind its length and correlation id.
    isReady: (port) =>
      answers(port, apiVersionsRequest, (bytes) => bytes.length >= 10 && bytes[8] === 0 && bytes[9] === 0),
  }
}

const plainListeners = { PLAINTEXT: 'PLAINTEXT', CONTROLLER: 'PLAINTEXT' }

// One busy machine runs it beside everything else: a small heap, one collector thread, the quick compiler only.
const javaOptions = [
  '-Xms128m',
  '-Xmx512m',
  '-XX:+UseSerialGC',
  '-XX:TieredStopAtLevel=1',
  '-Xshare:auto',
  '-Djava.awt.headless=true',
]

const settings = (data: string, port: number, controllerPort: number) => ({
  'process.roles': 'broker,controller',
  'node.id': 1,
  'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
  listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
  'advertised.listeners': `PLAINTEXT://127.0.0.1:${port}`,
  'controller.listener.names': 'CONTROLLER',
  'log.dirs': data,
  // A typing error in a topic's name is an error, not a new topic.
  'auto.create.topics.enable': false,
  'num.partitions': 1,
  // One broker: the defaults (3 replicas, 50 partitions) make the first consumer wait or fail.
  'offsets.topic.replication.factor': 1,
  'offsets.topic.num.partitions': 4,
  'transaction.state.log.replication.factor': 1,
  'transaction.state.log.min.isr': 1,
  'transaction.state.log.num.partitions': 1,
  'share.coordinator.state.topic.replication.factor': 1,
  'share.coordinator.state.topic.min.isr': 1,
  'share.coordinator.state.topic.num.partitions': 1,
  'group.initial.rebalance.delay.ms': 0,
  // A member that was killed is noticed in seconds where a client asks for that.
  'group.min.session.timeout.ms': 1000,
  'group.consumer.min.session.timeout.ms': 1000,
  'group.consumer.min.heartbeat.interval.ms': 300,
  'group.consumer.session.timeout.ms': 6000,
  'group.consumer.heartbeat.interval.ms': 300,
  'num.network.threads': 2,
  'num.io.threads': 4,
  'background.threads': 2,
  'log.cleaner.dedupe.buffer.size': 8 * 1024 * 1024,
  // After a kill the controller, which is the same process, refuses the broker until its old session has timed out.
  'broker.session.timeout.ms': 3000,
  'broker.heartbeat.interval.ms': 500,
})

const logSettings = {
  'rootLogger.level': 'INFO',
  'rootLogger.appenderRef.out.ref': 'out',
  'appender.out.type': 'Console',
  'appender.out.name': 'out',
  'appender.out.layout.type': 'PatternLayout',
  'appender.out.layout.pattern': '%d %p %m (%c)%n',
  // These print every setting and every request's version at INFO.
  'logger.config.name': 'org.apache.kafka.common.config.AbstractConfig',
  'logger.config.level': 'WARN',
}

const properties = (values: Record<string, string | number | boolean>): string =>
  Object.entries(values)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('')
