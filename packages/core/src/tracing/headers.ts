/** Start of the send, Unix microseconds in decimal: what queue time is counted from where the producer's span is not known. */
export const SENT_AT_HEADER = 'throughline-sent-at'

/** On a message that is published again: its consumers begin a trace of their own (`withReplay`). */
export const REPLAY_HEADER = 'throughline-replay'

/** `traceparent` of the attempt that failed, where another process made it: the next one links to it. */
export const ATTEMPT_OF_HEADER = 'throughline-attempt-of'

/** Headers that a dead letter carries beside the message's own. */
export const DEAD_LETTER_HEADERS = {
  reason: 'throughline-dead-letter-reason',
  code: 'throughline-dead-letter-code',
  route: 'throughline-dead-letter-route',
  attempts: 'throughline-dead-letter-attempts',
  /** `sensor-readings[2]@17` */
  source: 'throughline-dead-letter-source',
} as const

/** Every header that Throughline itself writes, in lower case: facts of one hop, never passed on to the next. */
export const OWN_HEADERS: ReadonlySet<string> = new Set([
  SENT_AT_HEADER,
  REPLAY_HEADER,
  ATTEMPT_OF_HEADER,
  ...Object.values(DEAD_LETTER_HEADERS),
])
