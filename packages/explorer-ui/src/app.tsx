import { useTokenState } from './api/token.ts'
import { JourneyPage } from './journey/page.tsx'
import { JourneysPage } from './journeys/page.tsx'
import { useAddress } from './navigate.ts'
import { parseRoute } from './route.ts'
import { TokenForm } from './ui/token-form.tsx'

/** Shows the page that the address names, or asks for the token without which there is nothing to show. */
export function App() {
  const { pathname, search } = useAddress()
  const token = useTokenState()
  if (token !== 'enough') return <TokenForm state={token} />
  const route = parseRoute(pathname, search)
  return route.page === 'journey' ? (
    <JourneyPage key={route.id} id={route.id} />
  ) : (
    <JourneysPage query={route.query} />
  )
}
