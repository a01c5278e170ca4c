import { useSyncExternalStore } from 'react'

const KEY = 'throughline.token'

/** What the explorer asked for, if anything. `refused`: the token that was sent is not the one it wants. */
export type TokenState = 'enough' | 'needed' | 'refused'

interface Access {
  readonly token: string | null
  readonly state: TokenState
}

let access: Access = { token: stored(), state: 'enough' }
const listeners = new Set<() => void>()

function stored(): string | null {
  try {
    return sessionStorage.getItem(KEY)
  } catch {
    return null
  }
}

function change(next: Access): void {
  access = next
  for (const listener of listeners) listener()
}

/**
 * Asks the explorer with the token of this tab, if it has one. An answer of 401 makes the page ask for a token.
 *
 * @param init without `Authorization`
 * @throws TypeError when there is no answer, as `fetch` does
 */
export async function fetchWithToken(path: string, init: FetchInit): Promise<Response> {
  const { token } = access
  const response = await fetch(path, withToken(init, token))
  // A late answer to a request from before the token was given says nothing about it.
  if (response.status === 401 && token === access.token)
    change({ token, state: token === null ? 'needed' : 'refused' })
  return response
}

interface FetchInit {
  readonly signal: AbortSignal
  readonly accept: string
}

function withToken({ signal, accept }: FetchInit, token: string | null): RequestInit {
  const headers = { accept, ...(token === null ? {} : { authorization: `Bearer ${token}` }) }
  return { signal, headers, cache: 'no-store' }
}

/** What became of a token that was entered. */
export type Entered = 'accepted' | 'refused' | 'unsendable' | 'unreachable'

/** Tries a token and, when the explorer takes it, keeps it for as long as this tab is open. */
export async function enterToken(text: string, signal: AbortSignal): Promise<Entered> {
  const token = text.trim()
  // Anything else does not fit into an HTTP header.
  if (!/^[\x20-\x7e]+$/.test(token)) return 'unsendable'
  try {
    const { status } = await fetch('/api/status', withToken({ signal, accept: 'application/json' }, token))
    if (status === 401) return 'refused'
  } catch (error) {
    if (signal.aborted) throw error
    return 'unreachable'
  }
  try {
    sessionStorage.setItem(KEY, token)
  } catch {
    // Storage is forbidden: the token lasts as long as the page.
  }
  change({ token, state: 'enough' })
  return 'accepted'
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

/** Whether the explorer wants a token that this tab does not have. */
export function useTokenState(): TokenState {
  return useSyncExternalStore(subscribe, () => access.state)
}
