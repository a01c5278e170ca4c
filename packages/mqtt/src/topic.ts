import { PermanentError } from '@throughline/core'
import { isMqttText, MAX_STRING_BYTES } from './text.ts'

/** Throws PermanentError unless a message can be published to `topic` (MQTT 5 §4.7): no wildcard, NUL, or leading `$`. */
export function validateTopic(topic: string): void {
  validateText('topic', topic)
  if (/[+#]/.test(topic)) fail('topic', topic, 'must not have the wildcards + and #')
  if (topic.startsWith('$')) fail('topic', topic, 'must not begin with $, which is the broker’s own')
}

/** Throws PermanentError unless `filter` can be subscribed to (MQTT 5 §4.7.1). */
export function validateFilter(filter: string): void {
  validateText('topic filter', filter)
  const levels = filter.split('/')
  levels.forEach((level, index) => {
    if (level.includes('#') && (level !== '#' || index < levels.length - 1))
      fail('topic filter', filter, 'may have # only alone, as its last level')
    if (level.includes('+') && level !== '+')
      fail('topic filter', filter, 'may have + only alone, as a whole level')
  })
}

/** Throws PermanentError unless `share` can name a shared subscription (MQTT 5 §4.8.2). */
export function validateShare(share: string): void {
  validateText('share', share)
  if (/[/+#]/.test(share)) fail('share', share, 'must not have / + or #')
}

export function hasWildcard(filter: string): boolean {
  return /[+#]/.test(filter)
}

/** Whether a subscription to `filter` gets messages of `topic` (MQTT 5 §4.7). */
export function matches(filter: string, topic: string): boolean {
  if (filter === topic) return true
  // §4.7.2: a leading wildcard does not match the broker's own topics.
  if (topic.startsWith('$') && !filter.startsWith('$')) return false
  const wanted = filter.split('/')
  const levels = topic.split('/')
  for (const [index, level] of wanted.entries()) {
    if (level === '#') return true
    if (index >= levels.length) return false
    if (level !== '+' && level !== levels[index]) return false
  }
  return wanted.length === levels.length
}

function validateText(what: string, text: string): void {
  if (text === '') fail(what, text, 'must not be empty')
  if (!isMqttText(text)) fail(what, text, 'must not have control characters (NUL) or half a surrogate pair')
  const bytes = Buffer.byteLength(text)
  if (bytes > MAX_STRING_BYTES)
    fail(what, text, `must have at most ${MAX_STRING_BYTES} bytes of UTF-8, has ${bytes}`)
}

function fail(what: string, text: string, message: string): never {
  const shown = JSON.stringify(text.length > 64 ? `${text.slice(0, 64)}…` : text)
  throw new PermanentError(`MQTT ${what} ${shown} ${message}`, { code: 'TL_MQTT_TOPIC_INVALID' })
}
