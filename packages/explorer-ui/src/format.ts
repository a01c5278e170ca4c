/**
 * A duration for people, in at most two units: `420 µs`, `12.9 ms`, `1.3 s`, `4 m 12 s`, `2 h 13 m`, `3 d 4 h`.
 *
 * @param ms milliseconds; negative ones (clock skew) keep their sign
 */
export function formatDuration(ms: number): string {
  if (!Number.isFinite(ms)) return '–'
  if (ms < 0) return `−${formatDuration(-ms)}`
  if (ms === 0) return '0 ms'
  if (ms < 0.9995) return `${Math.max(1, Math.round(ms * 1000))} µs`
  if (ms < 99.95) return `${trimZero(ms.toFixed(1))} ms`
  if (ms < 999.5) return `${Math.round(ms)} ms`
  if (ms < 59_950) return `${trimZero((ms / 1000).toFixed(ms < 9_995 ? 2 : 1))} s`
  const seconds = Math.round(ms / 1000)
  if (seconds < 3600) return pair(Math.floor(seconds / 60), 'm', seconds % 60, 's')
  const minutes = Math.round(ms / 60_000)
  if (minutes < 1440) return pair(Math.floor(minutes / 60), 'h', minutes % 60, 'm')
  const hours = Math.round(ms / 3_600_000)
  return pair(Math.floor(hours / 24), 'd', hours % 24, 'h')
}

function pair(major: number, majorUnit: string, minor: number, minorUnit: string): string {
  return minor === 0 ? `${major} ${majorUnit}` : `${major} ${majorUnit} ${minor} ${minorUnit}`
}

function trimZero(digits: string): string {
  return digits.includes('.') ? digits.replace(/\.?0+$/, '') : digits
}

const MICROS_PER_MILLI = 1000n
const NANOS_PER_MICRO = 1000n

/** Milliseconds since 1970 of a time in nanoseconds written as a decimal string; sub-millisecond digits are cut. */
export function unixMs(unixNanos: string): number {
  if (!/^\d{1,30}$/.test(unixNanos)) return 0
  return Number(BigInt(unixNanos) / NANOS_PER_MICRO / MICROS_PER_MILLI)
}

/** The clock time of a day on this machine's clock: `14:03:07.219`. */
export function formatClock(unixMillis: number): string {
  const date = new Date(unixMillis)
  const two = (n: number): string => String(n).padStart(2, '0')
  const millis = String(date.getMilliseconds()).padStart(3, '0')
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${millis}`
}

/** The day on this machine's clock: `2026-11-21`. */
export function formatDay(unixMillis: number): string {
  const date = new Date(unixMillis)
  const two = (n: number): string => String(n).padStart(2, '0')
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
}

/** An identifier short enough for a row: its first eight characters and an ellipsis. */
export function shortId(id: string, length = 8): string {
  return id.length > length + 1 ? `${id.slice(0, length)}…` : id
}

/** Text that fits `length` characters, cut in the middle, where paths and topics differ least. */
export function middle(text: string, length: number): string {
  if (text.length <= length) return text
  const head = Math.ceil((length - 1) / 2)
  return `${text.slice(0, head)}…${text.slice(text.length - (length - 1 - head))}`
}

/** `1 span`, `8 spans`, `5,000 spans`. */
export function count(n: number, noun: string, plural = `${noun}s`): string {
  return `${n.toLocaleString('en')} ${n === 1 ? noun : plural}`
}

/** An attribute value as one line of text; lists and maps as JSON. */
export function formatValue(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '')
}

const TRANSPORT_NAMES: Readonly<Record<string, string>> = {
  http: 'HTTP',
  kafka: 'Kafka',
  mqtt: 'MQTT',
  rabbitmq: 'RabbitMQ',
}

/** A transport's name as its users write it; unknown systems keep the name their spans give. */
export function transportName(transport: string): string {
  return TRANSPORT_NAMES[transport] ?? transport
}
