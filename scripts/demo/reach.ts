import { connect } from 'node:net'

/** A broker that the environment names and that does not answer. */
export class UnreachableError extends Error {
  readonly code = 'TL_DEMO_UNREACHABLE'
}

const withinMs = 5000

/**
 * Resolves when something listens at one of the addresses.
 *
 * @param variable The variable of the environment that names them: `host:port` or URLs, with commas between.
 * @throws UnreachableError that says which variable is to be looked at, never with a password in it.
 */
export async function reach(variable: string, addresses: string): Promise<void> {
  const targets = addresses.split(',').map((address) => targetOf(variable, address.trim()))
  const tries = await Promise.allSettled(targets.map(listens))
  if (tries.some(({ status }) => status === 'fulfilled')) return
  const names = targets.map(({ host, port }) => `${host}:${port}`).join(', ')
  throw new UnreachableError(
    `nothing answers at ${names}, which ${variable} names: start that broker, or unset ${variable} and the demo starts its own`,
  )
}

interface Target {
  readonly host: string
  readonly port: number
}

function targetOf(variable: string, address: string): Target {
  const url = address.includes('://') ? address : `tcp://${address}`
  const { hostname = '', port = '', protocol = '' } = URL.canParse(url) ? new URL(url) : {}
  if (hostname === '') throw new UnreachableError(`${variable} is no address of a broker`)
  const standard = protocol === 'mqtt:' ? 1883 : protocol === 'mqtts:' ? 8883 : 9092
  return { host: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? standard : Number(port) }
}

function listens({ host, port }: Target): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, timeout: withinMs })
    const fail = (error?: Error) => {
      socket.destroy()
      reject(error ?? new Error('no answer'))
    }
    socket.on('connect', () => {
      socket.destroy()
      resolve()
    })
    socket.on('error', fail)
    socket.on('timeout', () => fail())
  })
}
