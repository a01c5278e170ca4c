import { type RefObject, useLayoutEffect, useState } from 'react'

const OVERSCAN_ROWS = 12

/** Which rows of a long list are in view (with some to spare): only those need to exist. */
export function useWindow(
  scroller: RefObject<HTMLElement | null>,
  rowCount: number,
  rowHeight: number,
  headHeight = 0,
): { readonly first: number; readonly last: number } {
  const [seen, setSeen] = useState({ top: 0, height: 900 })
  useLayoutEffect(() => {
    const element = scroller.current
    if (element === null) return
    const read = (): void => {
      // By whole rows: a new window for each pixel would draw the list again for nothing.
      const top = Math.floor((element.scrollTop - headHeight) / rowHeight) * rowHeight
      setSeen((before) =>
        before.top === top && before.height === element.clientHeight
          ? before
          : { top, height: element.clientHeight },
      )
    }
    const observer = new ResizeObserver(read)
    observer.observe(element)
    element.addEventListener('scroll', read, { passive: true })
    read()
    return () => {
      observer.disconnect()
      element.removeEventListener('scroll', read)
    }
  }, [scroller, rowHeight, headHeight])
  const first = Math.max(0, Math.floor(seen.top / rowHeight) - OVERSCAN_ROWS)
  const last = Math.min(rowCount, Math.ceil((seen.top + seen.height) / rowHeight) + OVERSCAN_ROWS)
  return { first: Math.min(first, Math.max(0, rowCount - 1)), last }
}
