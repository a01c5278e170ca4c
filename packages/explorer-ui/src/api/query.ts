import { useCallback, useEffect, useState } from 'react'
import { ApiError } from './client.ts'

export interface Query<T> {
  /** The newest answer; kept while a fresher one is on its way, and when that fails. */
  readonly data: T | null
  readonly error: ApiError | null
  readonly loading: boolean
  reload(): void
}

interface Answer<T> {
  readonly key: string | null
  readonly data: T | null
  readonly error: ApiError | null
  readonly settled: boolean
}

/**
 * Asks the server for what `key` names, again whenever the key changes. Answers that arrive after their key
 * has gone are dropped. `load` is called with the key alone, so it needs no memoising.
 *
 * @param key null: ask nothing
 */
export function useQuery<T>(
  key: string | null,
  load: (key: string, signal: AbortSignal) => Promise<T>,
): Query<T> {
  const [answer, setAnswer] = useState<Answer<T>>({ key: null, data: null, error: null, settled: false })
  const [round, setRound] = useState(0)

  // The key names what load asks for; round asks again
  useEffect(() => {
    if (key === null) return
    const controller = new AbortController()
    load(key, controller.signal).then(
      (data) => {
        if (!controller.signal.aborted) setAnswer({ key, data, error: null, settled: true })
      },
      (cause: unknown) => {
        if (controller.signal.aborted) return
        const error =
          cause instanceof ApiError
            ? cause
            : new ApiError('TL_UI_UNEXPECTED', 0, `Unexpected: ${String(cause)}`)
        setAnswer((before) => ({ key, data: before.key === key ? before.data : null, error, settled: true }))
      },
    )
    return () => controller.abort()
  }, [key, round])

  const reload = useCallback(() => setRound((n) => n + 1), [])
  const current = answer.key === key
  return {
    data: current ? answer.data : null,
    error: current ? answer.error : null,
    loading: key !== null && !(current && answer.settled),
    reload,
  }
}
