import { type ReactNode, useEffect, useRef, useState } from 'react'
import { navigate } from '../navigate.ts'
import { searchPath } from '../route.ts'
import { chooseTheme, readTheme, type Theme } from '../theme.ts'
import { isTyping } from './keys.ts'
import { Link } from './link.tsx'

/** The bar above every page: name, search, theme. `children` stand at its right. */
export function Header({ query, children }: { readonly query: string; readonly children?: ReactNode }) {
  return (
    <header className="top">
      <Link to="/" className="brand" title="Recent journeys">
        <svg viewBox="0 0 32 32" aria-hidden="true">
          <path className="brand-line" d="M4 10h9c7 0 -1 12 6 12h9" />
          <circle className="brand-from" cx="5" cy="10" r="4" />
          <circle className="brand-to" cx="27" cy="22" r="4" />
        </svg>
        throughline
      </Link>
      <SearchBox query={query} />
      <div className="top-right">
        {children}
        <ThemeToggle />
      </div>
    </header>
  )
}

const SEARCH_PAUSE_MS = 220

function SearchBox({ query }: { readonly query: string }) {
  const input = useRef<HTMLInputElement>(null)
  const timer = useRef<ReturnType<typeof setTimeout> | null>(null)
  const [text, setText] = useState(query)
  useEffect(() => setText(query), [query])
  useEffect(() => {
    const focus = (event: KeyboardEvent): void => {
      if (event.key !== '/' || isTyping(event) || event.ctrlKey || event.metaKey || event.altKey) return
      event.preventDefault()
      input.current?.focus()
      input.current?.select()
    }
    addEventListener('keydown', focus)
    return () => removeEventListener('keydown', focus)
  }, [])
  const search = (value: string, mode: 'push' | 'replace'): void => {
    if (timer.current !== null) clearTimeout(timer.current)
    timer.current = null
    navigate(searchPath(value.trim()), mode)
  }
  const onList = location.pathname === '/'
  return (
    <search className="search">
      <form
        onSubmit={(event) => {
          event.preventDefault()
          search(text, 'push')
        }}
      >
        <input
          ref={input}
          type="search"
          value={text}
          placeholder="Event, subject, trace, span or attribute"
          aria-label="Find journeys by event, subject, type, trace, span or an attribute's value"
          autoComplete="off"
          spellCheck={false}
          maxLength={400}
          onChange={(event) => {
            const { value } = event.target
            setText(value)
            // On the list results follow the typing; a journey is left by Enter only.
            if (!onList) return
            if (timer.current !== null) clearTimeout(timer.current)
            timer.current = setTimeout(() => search(value, 'replace'), SEARCH_PAUSE_MS)
          }}
          onKeyDown={(event) => {
            if (event.key === 'Escape') input.current?.blur()
          }}
        />
        <kbd>/</kbd>
      </form>
    </search>
  )
}

const NEXT: Readonly<Record<Theme, Theme>> = { system: 'dark', dark: 'light', light: 'system' }
const NAMES: Readonly<Record<Theme, string>> = { system: 'Auto', dark: 'Dark', light: 'Light' }

function ThemeToggle() {
  const [theme, setTheme] = useState<Theme>(readTheme)
  return (
    <button
      type="button"
      className="button theme"
      aria-label={`Theme: ${NAMES[theme]}. Change to ${NAMES[NEXT[theme]]}`}
      title={`Theme: ${NAMES[theme]}`}
      onClick={() => {
        chooseTheme(NEXT[theme])
        setTheme(NEXT[theme])
      }}
    >
      <svg viewBox="0 0 16 16" aria-hidden="true">
        <circle cx="8" cy="8" r="6" />
        <path d="M8 2a6 6 0 0 1 0 12z" />
      </svg>
      <span>{NAMES[theme]}</span>
    </button>
  )
}
