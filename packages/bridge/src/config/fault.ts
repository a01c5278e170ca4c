import {
  faultOfKafkaTopic,
  faultOfMqttTopic,
  faultOfRoutingKey,
  isStatic,
  type Template,
} from '../template.ts'
import { faultOfUrl } from './field.ts'

/** What is wrong with a written destination, as far as it can be said before an event is there; null: nothing. */

export function faultOfFilter(filter: string): string | null {
  if (filter.startsWith('$share/')) return 'is a shared subscription: write its name as share'
  if (filter.includes('\0')) return 'has a NUL'
  const levels = filter.split('/')
  const misplaced = levels.some(
    (level, index) =>
      (level.length > 1 && /[+#]/.test(level)) || (level === '#' && index < levels.length - 1),
  )
  return misplaced ? 'has a wildcard that is not a whole level, or a # that is not the last' : null
}

function constants({ parts }: Template): string[] {
  return parts.filter((part) => typeof part === 'string')
}

export function faultOfKafkaTemplate(topic: Template): string | null {
  if (isStatic(topic)) return faultOfKafkaTopic(topic.source)
  return constants(topic).every((part) => faultOfKafkaTopic(`x${part}`) === null)
    ? null
    : 'is no Kafka topic name'
}

export function faultOfMqttTemplate(topic: Template): string | null {
  if (isStatic(topic)) return faultOfMqttTopic(topic.source)
  const example = topic.parts.map((part) => (typeof part === 'string' ? part : 'x')).join('')
  return faultOfMqttTopic(example)
}

export function faultOfRoutingKeyTemplate(routingKey: Template): string | null {
  return faultOfRoutingKey(constants(routingKey).join(''))
}

export function faultOfUrlTemplate(url: Template): string | null {
  const [first] = url.parts
  if (!isStatic(url) && (typeof first !== 'string' || !/^https?:\/\/[^/?#\s]+[/?]/i.test(first))) {
    return 'has a {{ … }} outside of path and query'
  }
  const example = url.parts.map((part) => (typeof part === 'string' ? part : 'x')).join('')
  const fault = faultOfUrl(example, ['http:', 'https:'])
  if (fault !== null) return fault
  return example.includes('#') ? 'has a fragment, which is never sent' : null
}
