import { useSyncExternalStore } from 'react'

/** `narrow`: a phone, names stand above their lanes; `medium`: a small laptop; `wide`: the rest. */
export type Screen = 'narrow' | 'medium' | 'wide'

const NARROW_PX = 640
const WIDE_PX = 1240

function subscribe(listener: () => void): () => void {
  addEventListener('resize', listener)
  return () => removeEventListener('resize', listener)
}

function read(): Screen {
  return innerWidth < NARROW_PX ? 'narrow' : innerWidth < WIDE_PX ? 'medium' : 'wide'
}

/** How much room the page has, followed as it changes. */
export function useScreen(): Screen {
  return useSyncExternalStore(subscribe, read)
}
