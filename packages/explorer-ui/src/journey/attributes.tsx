import type { Attributes, AttributeValue } from '@throughline/explorer/api'
import { Fragment, type ReactNode } from 'react'
import { formatValue } from '../format.ts'

/** A titled part of the details, with how much it holds. */
export function Group({
  title,
  size,
  children,
}: {
  readonly title: string
  readonly size: number
  readonly children: ReactNode
}) {
  return (
    <section className="group">
      <h3>
        {title} <span className="dim">{size}</span>
      </h3>
      {children}
    </section>
  )
}

/** Attributes under a title; nothing when there are none. */
export function AttributeTable({
  title,
  attributes,
}: {
  readonly title: string
  readonly attributes: Attributes
}) {
  const size = Object.keys(attributes).length
  if (size === 0) return null
  return (
    <Group title={title} size={size}>
      <AttributeRows attributes={attributes} />
    </Group>
  )
}

/** Attributes by name, each with its value. */
export function AttributeRows({ attributes }: { readonly attributes: Attributes }) {
  const entries = Object.entries(attributes).toSorted(([a], [b]) => a.localeCompare(b))
  if (entries.length === 0) return null
  return (
    <dl className="attributes">
      {entries.map(([name, value]) => (
        <Fragment key={name}>
          <dt title={name}>{name}</dt>
          <dd>
            <Value value={value} />
          </dd>
        </Fragment>
      ))}
    </dl>
  )
}

function Value({ value }: { readonly value: AttributeValue }) {
  const text = formatValue(value)
  // Only the two schemes a browser may safely be sent to by somebody else's telemetry.
  if (typeof value === 'string' && /^https?:\/\/[^\s]+$/.test(value)) {
    return (
      <a href={value} target="_blank" rel="noreferrer noopener">
        {text}
      </a>
    )
  }
  return <>{text}</>
}
