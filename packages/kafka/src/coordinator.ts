import {
  type Consumer,
  type Connection as DriverConnection,
  FindCoordinatorKeyTypes,
  findCoordinatorV4,
} from '@platformatic/kafka'
import { UnavailableError } from '@throughline/core'

/** The broker that keeps a group, for requests that the driver's client does not make as they are needed. */
export interface Coordinator {
  /** Always the same connection until `forget`: a broker answers its requests in order. Throws the driver's error. */
  reach(): Promise<DriverConnection>
  /** After an error: the group may be kept by another broker now. */
  forget(): void
}

export function createCoordinator(consumer: Consumer, group: string, topics: readonly string[]): Coordinator {
  let found: Promise<DriverConnection> | null = null

  async function find(): Promise<DriverConnection> {
    const { brokers } = await consumer.metadata({ topics: [...topics] })
    const any = await consumer.connections.getFirstAvailable([...brokers.values()])
    const { coordinators } = await findCoordinatorV4.api.async(any, FindCoordinatorKeyTypes.GROUP, [group])
    const [place] = coordinators
    if (place === undefined) throw new UnavailableError(`Kafka names no coordinator of the group ${group}`)
    return consumer.connections.get({ host: place.host, port: place.port })
  }

  return {
    reach() {
      found ??= find().catch((error) => {
        found = null
        throw error
      })
      return found
    },
    forget() {
      found = null
    },
  }
}
