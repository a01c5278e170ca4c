import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import './theme.css'
import './journeys/journeys.css'
import './journey/journey.css'
import './journey/drawing.css'
import { App } from './app.tsx'

const root = document.getElementById('root')
if (root === null) throw new Error('the page has no #root')
createRoot(root).render(
  <StrictMode>
    <App />
  </StrictMode>,
)
