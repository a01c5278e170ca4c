import type { MouseEvent, ReactNode } from 'react'
import { navigate } from '../navigate.ts'

/** A link within the page: a real address (new tab, copy link), followed without a reload. */
export function Link({
  to,
  className,
  children,
  title,
}: {
  readonly to: string
  readonly className?: string
  readonly title?: string
  readonly children: ReactNode
}) {
  const follow = (event: MouseEvent): void => {
    if (event.defaultPrevented || event.button !== 0) return
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return
    event.preventDefault()
    navigate(to)
  }
  return (
    <a href={to} className={className} title={title} onClick={follow}>
      {children}
    </a>
  )
}
