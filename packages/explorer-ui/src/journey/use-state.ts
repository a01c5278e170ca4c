import { useCallback, useMemo } from 'react'
import { navigate, useAddress } from '../navigate.ts'
import type { JourneyModel } from './model.ts'
import { formatState, parseState, type Selection, selectionOf, spanParam, type ViewState } from './state.ts'

export interface JourneyState {
  readonly state: ViewState
  readonly selection: Selection
  update(change: Partial<ViewState>): void
  select(selection: Selection): void
}

/** The page's state, kept in the address: a link to the page is a link to what it shows. */
export function useJourneyState(model: JourneyModel): JourneyState {
  const { search } = useAddress()
  const state = useMemo(() => parseState(search), [search])
  const selection = useMemo(() => selectionOf(model, state), [model, state])
  const update = useCallback((change: Partial<ViewState>) => {
    // Read the address again: two changes in one event must not undo each other.
    const next = { ...parseState(location.search), ...change }
    navigate(`${location.pathname}${formatState(next)}`, 'replace')
  }, [])
  const select = useCallback(
    (next: Selection) => {
      update({
        span: next?.kind === 'span' ? spanParam(model, next.key) : null,
        hop: next?.kind === 'hop' ? next.index : null,
      })
    },
    [model, update],
  )
  return { state, selection, update, select }
}
