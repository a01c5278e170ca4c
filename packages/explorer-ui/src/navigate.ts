import { useSyncExternalStore } from 'react'

const listeners = new Set<() => void>()

function notify(): void {
  for (const listener of listeners) listener()
}

/** Goes to another address of this page. `replace` leaves no step for the back button: for state that flickers. */
export function navigate(path: string, mode: 'push' | 'replace' = 'push'): void {
  if (path === `${location.pathname}${location.search}`) return
  if (mode === 'push') history.pushState(null, '', path)
  else history.replaceState(null, '', path)
  notify()
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  addEventListener('popstate', listener)
  return () => {
    listeners.delete(listener)
    removeEventListener('popstate', listener)
  }
}

/** Path and query of the address bar, followed as they change. */
export function useAddress(): { readonly pathname: string; readonly search: string } {
  const href = useSyncExternalStore(subscribe, () => `${location.pathname}${location.search}`)
  const at = href.indexOf('?')
  return at < 0 ? { pathname: href, search: '' } : { pathname: href.slice(0, at), search: href.slice(at) }
}
