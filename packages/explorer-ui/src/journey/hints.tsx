import type { ViewState } from './state.ts'

/** The keys, at the foot of the page; those that do something at once are buttons. */
export function KeyHints({
  state,
  onFold,
  onView,
  onExport,
  onHelp,
  hasFolds,
}: {
  readonly state: ViewState
  readonly onFold: () => void
  readonly onView: () => void
  readonly onExport: () => void
  readonly onHelp: () => void
  /** Whether the journey has idle time long enough to fold. */
  readonly hasFolds: boolean
}) {
  return (
    <footer className="hints">
      <span className="only-wide">
        <kbd>j</kbd> <kbd>k</kbd> hop
      </span>
      <span className="only-wide">
        <kbd>[</kbd> <kbd>]</kbd> along the critical path
      </span>
      <button type="button" onClick={onFold} aria-pressed={state.fold} disabled={!hasFolds}>
        <kbd>g</kbd> {state.fold ? 'unfold' : 'fold'} idle time
      </button>
      <button type="button" onClick={onView}>
        <kbd>w</kbd> {state.view === 'lanes' ? 'waterfall' : 'lanes'}
      </button>
      <button type="button" onClick={onExport}>
        <kbd>e</kbd> export
      </button>
      <button type="button" onClick={onHelp}>
        <kbd>?</kbd> help
      </button>
    </footer>
  )
}
