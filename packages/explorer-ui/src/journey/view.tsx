import { useCallback, useEffect, useMemo, useRef, useState } from 'react'
import { isPlain, isTyping } from '../ui/keys.ts'
import { Breakdown } from './breakdown.tsx'
import { exportJourney } from './export.ts'
import { Findings } from './findings.tsx'
import { Heading } from './heading.tsx'
import { Help } from './help.tsx'
import { KeyHints } from './hints.tsx'
import { HopList } from './hops.tsx'
import { Lanes } from './lanes.tsx'
import type { JourneyModel } from './model.ts'
import { Panel } from './panel.tsx'
import { Ribbon } from './ribbon-bar.tsx'
import { nextCritical, nextHop, type Selection } from './state.ts'
import { buildTimeline } from './timeline.ts'
import { useJourneyState } from './use-state.ts'
import { Waterfall } from './waterfall.tsx'

/** A journey: what it was, where its time went, its lanes or its waterfall, and the details of what is selected. */
export function JourneyView({ model }: { readonly model: JourneyModel }) {
  const { state, selection, update, select } = useJourneyState(model)
  const [help, setHelp] = useState(false)
  const hasFolds = useMemo(() => buildTimeline(model, true).length > 1, [model])
  const toggleFold = useCallback(() => update({ fold: !state.fold, window: null }), [state.fold, update])
  const toggleView = useCallback(
    () => update({ view: state.view === 'lanes' ? 'waterfall' : 'lanes' }),
    [state.view, update],
  )
  useKeys(model, selection, {
    select,
    toggleFold,
    toggleView,
    help: () => setHelp(true),
    export: () => exportJourney(model.journey),
  })
  const findings = <Findings model={model} onSelect={select} />
  return (
    <main className={`journey ${selection === null ? '' : 'has-selection'}`}>
      <Heading model={model} />
      <Ribbon model={model} onSelect={select} />
      <div className="journey-body">
        <div className="journey-main">
          {state.view === 'lanes' ? (
            <Lanes model={model} state={state} selection={selection} onSelect={select} onUpdate={update} />
          ) : (
            <Waterfall
              model={model}
              state={state}
              selection={selection}
              onSelect={select}
              onUpdate={update}
            />
          )}
          <HopList model={model} selection={selection} onSelect={select} />
        </div>
        {selection === null ? (
          <aside className="panel overview" aria-label="Overview">
            {findings}
            <Breakdown model={model} />
          </aside>
        ) : (
          <Panel model={model} selection={selection} onSelect={select} />
        )}
      </div>
      <KeyHints
        onFold={toggleFold}
        onView={toggleView}
        onExport={() => exportJourney(model.journey)}
        onHelp={() => setHelp(true)}
        state={state}
        hasFolds={hasFolds}
      />
      <Help open={help} onClose={() => setHelp(false)} />
    </main>
  )
}

interface Actions {
  select(selection: Selection): void
  toggleFold(): void
  toggleView(): void
  help(): void
  export(): void
}

function useKeys(model: JourneyModel, selection: Selection, actions: Actions): void {
  const current = useRef({ selection, actions })
  current.current = { selection, actions }
  useEffect(() => {
    const press = (event: KeyboardEvent): void => {
      if (event.defaultPrevented || isTyping(event) || !isPlain(event)) return
      if (document.querySelector('dialog[open]') !== null) return
      if (handle(event.key, model, current.current.selection, current.current.actions)) event.preventDefault()
    }
    addEventListener('keydown', press)
    return () => removeEventListener('keydown', press)
  }, [model])
}

/** Carries out a key's command; false when it has none. */
function handle(key: string, model: JourneyModel, selection: Selection, actions: Actions): boolean {
  switch (key) {
    case 'j':
    case 'k': {
      const index = nextHop(model, selection, key === 'j' ? 1 : -1)
      if (index !== null) actions.select({ kind: 'hop', index })
      return true
    }
    case '[':
    case ']':
      actions.select(nextCritical(model, selection, key === ']' ? 1 : -1))
      return true
    case 'g':
      actions.toggleFold()
      return true
    case 'w':
      actions.toggleView()
      return true
    case 'e':
      actions.export()
      return true
    case '?':
      actions.help()
      return true
    case 'Escape':
      if (selection === null) return false
      actions.select(null)
      return true
    default:
      return false
  }
}
