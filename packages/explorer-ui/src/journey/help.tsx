import { useEffect, useRef } from 'react'

const KEYS: readonly (readonly [readonly string[], string])[] = [
  [['j', 'k'], 'next, previous hop'],
  [['[', ']'], 'back, forward along the critical path'],
  [['←', '→', '↑', '↓'], 'in the drawing: neighbours in time, in the lanes'],
  [['g'], 'fold or unfold idle time'],
  [['w'], 'waterfall or lanes'],
  [['+', '−', '0'], 'zoom in, out, show all'],
  [['Shift ←', 'Shift →'], 'move along the time'],
  [['e'], 'export the journey as JSON'],
  [['/'], 'search'],
  [['Esc'], 'close the details'],
]

/** The keys and the signs of the drawing. */
export function Help({ open, onClose }: { readonly open: boolean; readonly onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null)
  useEffect(() => {
    if (open && dialog.current?.open === false) dialog.current.showModal()
  }, [open])
  return (
    <dialog ref={dialog} className="help" aria-label="Help" onClose={onClose}>
      <div className="help-head">
        <h2>Keys</h2>
        <button type="button" className="button small" onClick={() => dialog.current?.close()}>
          Close
        </button>
      </div>
      <dl>
        {KEYS.map(([keys, text]) => (
          <div key={text}>
            <dt>
              {keys.map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dt>
            <dd>{text}</dd>
          </div>
        ))}
      </dl>
      <h2>Zoom</h2>
      <p>
        Ctrl or ⌘ with the wheel, or pinch. Drag the drawing to move, drag along the time axis to magnify that
        part.
      </p>
      <h2>Signs</h2>
      <p>
        A hatched capsule is a message, from the start of its send to the start of its process. The line above
        bars and capsules is the critical path: what decided how long the journey took. A broken chain stands
        where a cause is not known. ⟦×500⟧ is a batch; dashed lines are links, retries, replays and dead
        letters; ⟿ is time in which nothing happened.
      </p>
    </dialog>
  )
}
