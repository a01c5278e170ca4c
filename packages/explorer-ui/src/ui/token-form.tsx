import { type FormEvent, useEffect, useRef, useState } from 'react'
import { type Entered, enterToken, type TokenState } from '../api/token.ts'

const WORDS: Readonly<Record<Exclude<Entered, 'accepted'>, string>> = {
  refused: 'This is not the token that the explorer was started with.',
  unsendable: 'A token is visible ASCII characters: this has others, or none.',
  unreachable: 'The explorer does not answer. Is it still running?',
}

/** Asks for the explorer's token; what stood on the page comes back by itself once it is right. */
export function TokenForm({ state }: { readonly state: Exclude<TokenState, 'enough'> }) {
  const input = useRef<HTMLInputElement>(null)
  const attempt = useRef<AbortController | null>(null)
  const [isTrying, setTrying] = useState(false)
  const [error, setError] = useState<string | null>(
    state === 'refused' ? 'The explorer no longer takes the token that was entered before.' : null,
  )
  useEffect(() => {
    document.title = 'Token · Throughline'
    input.current?.focus()
    return () => attempt.current?.abort()
  }, [])
  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault()
    if (isTrying) return
    const controller = new AbortController()
    attempt.current = controller
    setTrying(true)
    const entered = await enterToken(input.current?.value ?? '', controller.signal).catch(() => null)
    if (controller.signal.aborted || entered === null || entered === 'accepted') return
    setTrying(false)
    setError(WORDS[entered])
    input.current?.focus()
    input.current?.select()
  }
  return (
    <main className="page journeys">
      <form className="message token" onSubmit={submit}>
        <h2>
          <label htmlFor="token">This explorer asks for its token</label>
        </h2>
        <p>
          It is in the file that <code>--token-file</code> named. It stays in this tab until you close it.
        </p>
        <div className="token-row">
          <input
            ref={input}
            id="token"
            type="password"
            autoComplete="off"
            autoCapitalize="off"
            spellCheck={false}
            maxLength={4096}
            aria-invalid={error !== null}
            aria-describedby="token-error"
          />
          <button type="submit" className="button accent" disabled={isTrying}>
            {isTrying ? 'Trying…' : 'Open'}
          </button>
        </div>
        <p id="token-error" className="token-error" role="alert">
          {error}
        </p>
      </form>
    </main>
  )
}
