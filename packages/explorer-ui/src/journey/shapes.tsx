import { memo } from 'react'
import { formatDuration } from '../format.ts'
import { BROKEN_CHAIN } from '../ui/glyphs.tsx'
import { position, waited } from './labels.ts'
import type { BarShape, CapsuleShape, SideLabel } from './scene.ts'

/** Shapes magnified to millions of pixels are drawn a little further than they are seen: browsers lose precision. */
const BEYOND_PX = 60

/** Fills of the message capsules. */
export function Patterns() {
  return (
    <defs>
      {['plain', 'error', 'selected'].map((tone) => (
        <pattern
          key={tone}
          id={`hatch-${tone}`}
          className={`hatch ${tone}`}
          width="7"
          height="7"
          patternUnits="userSpaceOnUse"
          patternTransform="rotate(45)"
        >
          <rect className="hatch-ground" width="7" height="7" />
          <rect className="hatch-line" width="2.2" height="7" />
        </pattern>
      ))}
      {['plain', 'critical', 'error', 'warn', 'selected'].map((tone) => (
        <marker
          key={tone}
          id={`arrow-${tone}`}
          className={`arrow ${tone}`}
          viewBox="0 0 8 8"
          refX="7"
          refY="4"
          markerWidth="7"
          markerHeight="7"
          markerUnits="userSpaceOnUse"
          orient="auto"
        >
          <path d="M0 .6 8 4 0 7.4z" />
        </marker>
      ))}
    </defs>
  )
}

/** A span. Its label is drawn apart, above the breaks of the axis. */
export const BarElement = memo(function BarElement({
  shape,
  isSelected,
  isTabStop,
  isSquare,
  width,
}: {
  readonly shape: BarShape
  readonly isSelected: boolean
  readonly isTabStop: boolean
  readonly isSquare: boolean
  readonly width: number
}) {
  const { bar } = shape
  const { span } = bar
  const isError = span.status === 'ERROR'
  const isBatch = span.batchSize !== null
  const left = Math.max(shape.left, -BEYOND_PX)
  const right = Math.min(shape.right, width + BEYOND_PX)
  const name = `${span.service}: ${span.name}, ${formatDuration(span.durationMs)}${isError ? ', failed' : ''}`
  return (
    // biome-ignore lint/a11y/useSemanticElements: HTML buttons cannot stand in a drawing
    <g
      className={`bar s${bar.serviceIndex % 8}${isError ? ' error' : ''}${isBatch ? ' batch' : ''}${isSelected ? ' selected' : ''}`}
      role="button"
      tabIndex={isTabStop ? 0 : -1}
      aria-label={name}
      aria-pressed={isSelected}
      data-span={bar.key}
    >
      <title>{name}</title>
      {isSelected && (
        <rect
          className="halo"
          x={left - 3}
          y={bar.y - 3}
          width={right - left + 6}
          height={bar.height + 6}
          rx={7}
        />
      )}
      <rect
        className="body"
        x={left}
        y={bar.y}
        width={Math.max(1, right - left)}
        height={bar.height}
        rx={isSquare ? 0 : Math.min(4, (right - left) / 2, bar.height / 2)}
      />
      {isError && right - left > 8 && (
        <rect className="stripe" x={left} y={bar.y} width={4} height={bar.height} />
      )}
      {isBatch && right - left > 16 && (
        <path
          className="bracket"
          d={`M${left + 4} ${bar.y + 3}h-2.5v${bar.height - 6}h2.5M${right - 4} ${bar.y + 3}h2.5v${bar.height - 6}h-2.5`}
        />
      )}
      {shape.markX !== null && <BrokenMark x={shape.markX} y={bar.y + bar.height / 2} />}
    </g>
  )
})

/** A message: hatched from its send to its process, open where an end is not known. */
export const CapsuleElement = memo(function CapsuleElement({
  shape,
  isSelected,
  isTabStop,
  width,
}: {
  readonly shape: CapsuleShape
  readonly isSelected: boolean
  readonly isTabStop: boolean
  readonly width: number
}) {
  const { placed } = shape
  const { capsule } = placed
  const [hop] = capsule.hops
  const left = Math.max(shape.left, -BEYOND_PX)
  const right = Math.min(shape.right, width + BEYOND_PX)
  const tone = isSelected ? 'selected' : capsule.error ? 'error' : 'plain'
  const isOpen = capsule.startMs === null || capsule.endMs === null
  const what =
    capsule.kind === 'bundle' ? `${capsule.hops.length} messages in ${capsule.destination}` : 'message '
  const name =
    hop === undefined
      ? what
      : `${what}${capsule.kind === 'bundle' ? '' : `${position(hop)}, ${waited(hop)}`}${capsule.reason === null ? '' : `: ${capsule.reason.title}`}`
  return (
    // biome-ignore lint/a11y/useSemanticElements: HTML buttons cannot stand in a drawing
    <g
      className={`capsule ${tone}${capsule.kind === 'bundle' ? ' bundle' : ''}${isOpen ? ' open' : ''}`}
      role="button"
      tabIndex={isTabStop ? 0 : -1}
      aria-label={name}
      aria-pressed={isSelected}
      data-hop={hop?.index}
    >
      <title>{name}</title>
      {capsule.kind === 'bundle' && placed.labelled && (
        <path
          className="stack"
          d={`M${left + 8} ${placed.y - 2.5}H${right - 8}M${left + 8} ${placed.y + placed.height + 2.5}H${right - 8}`}
        />
      )}
      <rect
        className="body"
        fill={`url(#hatch-${tone})`}
        x={left}
        y={placed.y}
        width={Math.max(2, right - left)}
        height={placed.height}
        rx={Math.min(placed.height / 2, (right - left) / 2)}
      />
      {shape.startMarkX !== null && <BrokenMark x={shape.startMarkX} y={placed.y + placed.height / 2} />}
      {shape.endMarkX !== null && <BrokenMark x={shape.endMarkX} y={placed.y + placed.height / 2} />}
    </g>
  )
})

function BrokenMark({ x, y }: { readonly x: number; readonly y: number }) {
  return <path className="broken" transform={`translate(${x} ${y - 8})`} d={BROKEN_CHAIN} />
}

/** The label of a bar. */
export function BarLabel({ shape }: { readonly shape: BarShape }) {
  const { bar } = shape
  const y = bar.y + bar.height / 2 + 4
  const isBatch = bar.span.batchSize !== null
  return (
    <>
      {shape.inside !== null && (
        <text className={isBatch ? 'label plain' : 'label inside'} x={shape.inside.x} y={y}>
          {shape.inside.text}
        </text>
      )}
      {shape.beside !== null && (
        <Beside
          label={shape.beside}
          y={y}
          className={`label beside${bar.span.status === 'ERROR' ? ' error' : ''}`}
        />
      )}
    </>
  )
}

/** The label of a capsule: beside it, or on a plate over its hatching. */
export function CapsuleLabel({ shape }: { readonly shape: CapsuleShape }) {
  const { placed } = shape
  const { capsule } = placed
  const y = placed.y + placed.height / 2 + 4
  const tone = capsule.error ? ' error' : capsule.brokenStart || capsule.brokenEnd ? ' warn' : ''
  return (
    <>
      {shape.inside !== null && (
        <>
          <rect
            className="plate"
            x={shape.inside.x - 6}
            y={placed.y + 1.5}
            width={shape.inside.width + 12}
            height={placed.height - 3}
            rx={7}
          />
          <text className={`label mono${tone}`} x={shape.inside.x} y={y}>
            {shape.inside.text}
          </text>
        </>
      )}
      {shape.beside !== null && <Beside label={shape.beside} y={y} className={`label mono${tone}`} />}
    </>
  )
}

function Beside({
  label,
  y,
  className,
}: {
  readonly label: SideLabel
  readonly y: number
  readonly className: string
}) {
  return (
    <text className={className} x={label.x} y={y} textAnchor={label.anchor}>
      {label.text}
    </text>
  )
}
