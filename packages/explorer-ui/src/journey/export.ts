import type { Journey } from '@throughline/explorer/api'

/** Saves the journey as the page has it, as JSON in the shape of the API. */
export function exportJourney(journey: Journey): void {
  const url = URL.createObjectURL(new Blob([JSON.stringify(journey, null, 2)], { type: 'application/json' }))
  const link = document.createElement('a')
  link.href = url
  link.download = `journey-${journey.id.replace(/[^\w.-]+/g, '_').slice(0, 80)}.json`
  link.click()
  // The download reads the address after this call has returned.
  setTimeout(() => URL.revokeObjectURL(url), 10_000)
}
