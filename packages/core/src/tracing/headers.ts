/** Start of the send, Unix microseconds in decimal: what queue time is counted from where the producer's span is not known. */
export const SENT_AT_HEADER = 'throughline-sent-at'

/** Headers that a dead letter carries beside the message's own. */
export const DEAD_LETTER_HEADERS = {
  reason: 'throughline-dead-letter-reason',
  code: 'throughline-dead-letter-code',
  route: 'throughline-dead-letter-route',
  attempts: 'throughline-dead-letter-attempts',
  /** `sensor-readings[2]@17` */
  source: 'throughline-dead-letter-source',
} as const
