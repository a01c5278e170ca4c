import { transportName } from '../format.ts'

const PATHS: Readonly<Record<string, string>> = {
  http: 'M1.5 4.5h10M9 2l2.5 2.5L9 7M12.5 9.5h-10M5 7 2.5 9.5 5 12',
  kafka:
    'M4 4.4v1.4M4 9.2v-1M5.3 6.4l3-1.6M5.3 7.8l3 1.6M4 1.6a1.4 1.4 0 1 1 0 2.8a1.4 1.4 0 0 1 0-2.8ZM4 5.7a1.4 1.4 0 1 1 0 2.8a1.4 1.4 0 0 1 0-2.8ZM4 9.8a1.4 1.4 0 1 1 0 2.8a1.4 1.4 0 0 1 0-2.8ZM9.6 2.8a1.4 1.4 0 1 1 0 2.8a1.4 1.4 0 0 1 0-2.8ZM9.6 8.6a1.4 1.4 0 1 1 0 2.8a1.4 1.4 0 0 1 0-2.8Z',
  mqtt: 'M2 12h.01M2 7.6A4.4 4.4 0 0 1 6.4 12M2 2.6A9.4 9.4 0 0 1 11.4 12',
  rabbitmq: 'M2 12V2.4h2.4v3.9h2.4V2.4h2.4v3.9H12V12Z',
}

/** A transport's mark, named for those who cannot see it. */
export function TransportGlyph({ transport }: { readonly transport: string }) {
  const name = transportName(transport)
  return (
    <svg className={`glyph t-${transport}`} viewBox="0 0 14 14" role="img" aria-label={name}>
      <title>{name}</title>
      <path d={PATHS[transport] ?? 'M2.5 2.5h9v9h-9z'} />
    </svg>
  )
}

/** The mark of a break: two links of a chain that do not meet. */
export const BROKEN_CHAIN =
  'M9.6 4.6H4.4a3.4 3.4 0 0 0 0 6.8h5.2M15.4 4.6h4.2a3.4 3.4 0 0 1 0 6.8h-4.2M10.4 3 9.6.8M13.6 3l.8-2.2M10.4 13l-.8 2.2M13.6 13l.8 2.2'

export function BrokenChain() {
  return (
    <svg className="broken-chain" viewBox="0 0 24 16" aria-hidden="true">
      <path d={BROKEN_CHAIN} />
    </svg>
  )
}
