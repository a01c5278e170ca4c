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
