import type { ReactNode } from 'react'

/** What stands in place of a page's content: nothing yet, nothing found, or an error. */
export function Message({
  title,
  tone = 'plain',
  children,
}: {
  readonly title: string
  readonly tone?: 'plain' | 'error'
  readonly children?: ReactNode
}) {
  return (
    <div className={`message ${tone}`} role={tone === 'error' ? 'alert' : 'status'}>
      <h2>{title}</h2>
      {children}
    </div>
  )
}

/** What failed, why, and a button that tries it again; `children` stand beside it. */
export function Failure({
  title,
  error,
  onRetry,
  children,
}: {
  readonly title: string
  readonly error: Error
  readonly onRetry: () => void
  readonly children?: ReactNode
}) {
  return (
    <Message title={title} tone="error">
      <p>{error.message}</p>
      <p className="actions">
        <button type="button" className="button" onClick={onRetry}>
          Try again
        </button>
        {children}
      </p>
    </Message>
  )
}
