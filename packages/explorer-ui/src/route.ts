import { useSyncExternalStore } from 'react'

export type Route =
  | { readonly page: 'list'; readonly query: string }
  | { readonly page: 'journey'; readonly id: string }

/** What an address shows. Unknown paths show the list. */
export function parseRoute(pathname: string, search: string): Route {
  const match = /^\/journey\/([^/]+)\/?$/.exec(pathname)
  if (match?.[1] !== undefined) return { page: 'journey', id: decode(match[1]) }
  return { page: 'list', query: new URLSearchParams(search).get('q') ?? '' }
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}

/** The address of a journey; `span` selects one of its spans. */
export function journeyPath(id: string, span: string | null = null): string {
  return `/journey/${encodeURIComponent(id)}${span === null ? '' : `?span=${span}`}`
}

/** The address of a search. */
export function searchPath(query: string): string {
  return query === '' ? '/' : `/?${new URLSearchParams({ q: query })}`
}

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
