import { JourneyPage } from './journey/page.tsx'
import { JourneysPage } from './journeys/page.tsx'
import { useAddress } from './navigate.ts'
import { parseRoute } from './route.ts'

/** Shows the page that the address names. */
export function App() {
  const { pathname, search } = useAddress()
  const route = parseRoute(pathname, search)
  return route.page === 'journey' ? (
    <JourneyPage key={route.id} id={route.id} />
  ) : (
    <JourneysPage query={route.query} />
  )
}
