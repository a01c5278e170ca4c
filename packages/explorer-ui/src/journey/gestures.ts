export interface GestureActions {
  zoom(factor: number, anchorPx: number): void
  pan(deltaPx: number): void
  /** The part of the axis being marked; null when that ends. */
  brush(range: { readonly from: number; readonly to: number } | null): void
  show(fromPx: number, toPx: number): void
}

/** A press that moves less than this is a click. */
const CLICK_PX = 4
const WHEEL_STEP = 0.0022

interface Press {
  readonly startX: number
  readonly onAxis: boolean
  x: number
  moved: boolean
}

/**
 * Wheel, drag and pinch on a drawing. The wheel magnifies with Ctrl or ⌘ (which is also how a touch pad's pinch
 * arrives) and over the axis; alone it scrolls the page, as everywhere else.
 *
 * @param gutter pixels at the left edge that are not drawing
 * @returns stops listening
 */
export function attachGestures(element: HTMLElement, gutter: number, actions: GestureActions): () => void {
  const presses = new Map<number, Press>()
  let spread = 0
  const at = (clientX: number): number => clientX - element.getBoundingClientRect().left - gutter

  const wheel = (event: WheelEvent): void => {
    const onAxis = isOn(event.target, '.axis')
    if (event.ctrlKey || event.metaKey || (onAxis && event.deltaX === 0)) {
      event.preventDefault()
      actions.zoom(Math.exp(-event.deltaY * WHEEL_STEP * (event.deltaMode === 0 ? 1 : 20)), at(event.clientX))
    } else if (event.deltaX !== 0 || event.shiftKey) {
      event.preventDefault()
      actions.pan(event.deltaX === 0 ? event.deltaY : event.deltaX)
    }
  }
  const down = (event: PointerEvent): void => {
    if (event.button !== 0 || at(event.clientX) < 0 || isOn(event.target, 'button')) return
    const onAxis = isOn(event.target, '.axis')
    presses.set(event.pointerId, { startX: at(event.clientX), x: at(event.clientX), onAxis, moved: false })
    spread = spreadOf(presses)
  }
  const move = (event: PointerEvent): void => {
    const press = presses.get(event.pointerId)
    if (press === undefined) return
    const x = at(event.clientX)
    const delta = x - press.x
    if (!press.moved && Math.abs(x - press.startX) < CLICK_PX) return
    if (!press.moved) element.setPointerCapture(event.pointerId)
    press.moved = true
    press.x = x
    if (presses.size > 1) {
      const wider = spreadOf(presses)
      if (spread > 0 && wider > 0) actions.zoom(wider / spread, centreOf(presses))
      spread = wider
    } else if (press.onAxis) actions.brush({ from: Math.min(press.startX, x), to: Math.max(press.startX, x) })
    else actions.pan(-delta)
  }
  const up = (event: PointerEvent): void => {
    const press = presses.get(event.pointerId)
    presses.delete(event.pointerId)
    spread = spreadOf(presses)
    if (press === undefined || !press.onAxis) return
    actions.brush(null)
    if (press.moved && event.type === 'pointerup') {
      actions.show(Math.min(press.startX, press.x), Math.max(press.startX, press.x))
    }
    press.moved = false
  }
  // The click that ends a drag would select whatever lies under it.
  let dragged = false
  const note = (event: PointerEvent): void => {
    dragged = presses.get(event.pointerId)?.moved === true
  }
  const click = (event: MouseEvent): void => {
    if (dragged) event.stopPropagation()
    dragged = false
  }

  const listening = new AbortController()
  const { signal } = listening
  element.addEventListener('wheel', wheel, { passive: false, signal })
  element.addEventListener('pointerdown', down, { signal })
  element.addEventListener('pointermove', move, { signal })
  element.addEventListener('pointerup', note, { signal })
  element.addEventListener('pointerup', up, { signal })
  element.addEventListener('pointercancel', up, { signal })
  element.addEventListener('click', click, { capture: true, signal })
  return () => listening.abort()
}

function isOn(target: EventTarget | null, selector: string): boolean {
  return target instanceof Element && target.closest(selector) !== null
}

function spreadOf(presses: ReadonlyMap<number, Press>): number {
  const [a, b] = [...presses.values()]
  return a === undefined || b === undefined ? 0 : Math.abs(a.x - b.x)
}

function centreOf(presses: ReadonlyMap<number, Press>): number {
  const [a, b] = [...presses.values()]
  return a === undefined || b === undefined ? 0 : (a.x + b.x) / 2
}
