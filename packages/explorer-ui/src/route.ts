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
