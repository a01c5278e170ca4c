import { startReaper } from './reaper.ts'
import { endText, failure, type Service, type ServiceSpec, startService, untilReady } from './service.ts'

/** The processes that were started, to be ended together. */
export interface Fleet {
  /**
   * Starts a service and resolves when it does its work.
   *
   * @throws ServiceError with its last lines
   */
  start(spec: ServiceSpec): Promise<Service>
  /** Rejects with a ServiceError when a service ends that was not told to. Never resolves. */
  readonly broken: Promise<never>
  /** Ends them in the reverse order of their start, so that each can still deliver to the next. */
  stop(): Promise<void>
}

/** @param log Given every line that a service prints, with its name. */
export function createFleet(log: (service: string, line: string) => void): Fleet {
  const services: Service[] = []
  const reaper = startReaper()
  const { promise: broken, reject } = Promise.withResolvers<never>()
  // Whoever does not wait for it must not be ended by it either.
  broken.catch(() => {})
  let stopping: Promise<void> | undefined

  async function start(spec: ServiceSpec): Promise<Service> {
    if (stopping) throw new Error(`${spec.name} is not started: the demo ends`)
    const service = startService(spec, (line) => log(spec.name, line))
    services.push(service)
    if (service.pid > 0) reaper.watch(service.pid)
    void service.exited.then((end) => {
      if (!stopping) reject(failure(service, endText(end)))
    })
    await untilReady(service, spec)
    return service
  }

  async function stopAll(): Promise<void> {
    for (const service of services.toReversed()) await service.stop()
    reaper.dismiss()
  }

  return {
    start,
    broken,
    stop: () => {
      stopping ??= stopAll()
      return stopping
    },
  }
}
