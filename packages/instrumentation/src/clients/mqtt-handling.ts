import { type Context, context as contexts } from '@opentelemetry/api'
import type { Settlement } from '@throughline/core'
import { errorOf } from '../guard.ts'
import type { HandleMessage, MqttClient } from './mqtt-client.ts'

type Outcome = Settlement['outcome'] | undefined

/**
 * What the application does with one message in several places: listeners that gave a promise, `handleMessage`. The span
 * ends when the last of them is done, with what failed first.
 */
export interface Handling {
  /** One more of them. Returns what is to be called when it is done, with what failed; further calls do nothing. */
  part(): (failure?: unknown, outcome?: Outcome) => void
}

/** `onEnd` is called once, when all parts are done. `outcome`: of a message of which no part says another. */
export function createHandling(
  outcome: Outcome,
  onEnd: (failure: unknown, outcome: Outcome) => void,
): Handling {
  let open = 0
  let failure: unknown
  let settled = outcome

  return {
    part() {
      open++
      let isDone = false
      return (failed, said) => {
        if (isDone) return
        isDone = true
        failure ??= failed
        settled = said ?? settled
        open--
        if (open === 0) onEnd(failure, settled)
      }
    },
  }
}

/** What covers a method: where the application emits two messages in one turn, the second finds it. */
const coverings = new WeakSet<HandleMessage>()

/**
 * Has the application's own `handleMessage` run in the context of the message that MQTT.js is about to hand to it, right
 * after the listeners have returned. The method is covered for that one call, so that the application finds the client
 * as it left it.
 */
export function followHandleMessage(
  client: MqttClient,
  context: Context,
  acknowledges: boolean,
  done: (failure?: unknown, outcome?: Outcome) => void,
): void {
  const handleMessage = client.handleMessage
  const isOwn = Object.hasOwn(client, 'handleMessage')
  const outside = contexts.active()

  const covering: HandleMessage = (packet, callback) => {
    uncover()
    const answered: typeof callback = (...answer) => {
      const [error] = answer
      done(error ?? undefined, outcomeOf(error))
      // MQTT.js goes on to the next packet from here, which is no part of this message.
      return contexts.with(outside, () => callback(...answer))
    }
    let result: unknown
    try {
      result = contexts.with(context, () => handleMessage.call(client, packet, answered))
    } catch (error) {
      done(error ?? errorOf(error), outcomeOf(error))
      throw error
    }
    if (!(result instanceof Promise)) return result
    return result.catch((error: unknown) => {
      done(error ?? errorOf(error), outcomeOf(error))
      throw error
    })
  }

  function outcomeOf(error: unknown): Outcome {
    if (!acknowledges) return undefined
    return error === undefined || error === null ? 'accept' : 'release'
  }

  function uncover(): boolean {
    if (client.handleMessage !== covering) return false
    if (isOwn) client.handleMessage = handleMessage
    else Reflect.deleteProperty(client, 'handleMessage')
    return true
  }

  coverings.add(covering)
  if (coverings.has(handleMessage) || !Reflect.set(client, 'handleMessage', covering)) {
    done()
    return
  }
  // The application emitted the message itself, and nothing follows.
  queueMicrotask(() => {
    if (uncover()) done()
  })
}
