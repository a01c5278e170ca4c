import { randomBytes } from 'node:crypto'

/** Address of the broker that tests are given. */
export function mqttUrl(): string {
  const url = process.env.MQTT_URL
  if (!url)
    throw new Error(
      'MQTT_URL is not set; for one of your own: eval "$(npm run --silent brokers -- start mosquitto)"',
    )
  return url
}

/** A name that no other test, and no earlier run, has used for a topic or a client. */
export function unique(name: string): string {
  return `${name}-${randomBytes(6).toString('hex')}`
}
