import type { TimeView } from './use-viewport.ts'

/** Magnify, shrink, show all. */
export function ZoomButtons({ view }: { readonly view: TimeView }) {
  const isWhole = view.viewport.zoom <= 1
  return (
    <fieldset className="zoom" aria-label="Zoom">
      <button type="button" aria-label="Zoom in" title="Zoom in (+)" onClick={() => view.zoomBy(1.5)}>
        +
      </button>
      <button
        type="button"
        aria-label="Zoom out"
        title="Zoom out (−)"
        disabled={isWhole}
        onClick={() => view.zoomBy(1 / 1.5)}
      >
        −
      </button>
      <button type="button" title="Show all (0)" disabled={isWhole} onClick={view.showAll}>
        all
      </button>
    </fieldset>
  )
}
