import type { Connector } from './connectors.ts'
import type { Layout } from './layout.ts'
import { type JourneyModel, refKey } from './model.ts'
import type { Selection } from './state.ts'
import type { TimeView } from './use-viewport.ts'

/** Lines drawn at once. A batch of thousands would cover everything else with its lines. */
const MAX_LINES = 140

interface LinesProps {
  readonly model: JourneyModel
  readonly connectors: readonly Connector[]
  readonly view: TimeView
  readonly selection: Selection
  readonly top: number
  readonly bottom: number
}

/** The lines from causes to effects. */
export function Lines({ model, connectors, view, selection, top, bottom }: LinesProps) {
  const { scale, viewport, width } = view
  const isSelected = (line: Connector): boolean =>
    selection?.kind === 'hop'
      ? line.hop === selection.index
      : selection !== null && line.spans.includes(selection.key)
  const seen = connectors.filter((line) => {
    if (line.quiet && !isSelected(line)) return false
    if (Math.max(line.fromY, line.toY) < top || Math.min(line.fromY, line.toY) > bottom) return false
    const from = scale.x(line.fromMs) - viewport.panPx
    const to = scale.x(line.toMs) - viewport.panPx
    return Math.max(from, to) >= -10 && Math.min(from, to) <= width + 10
  })
  const critical = criticalHops(model)
  const drawn =
    seen.length <= MAX_LINES
      ? seen
      : thin(seen, (line) => isSelected(line) || isCritical(model, critical, line))
  return drawn.map((line) => {
    const tone = isSelected(line)
      ? 'selected'
      : line.error
        ? 'error'
        : line.kind === 'retry'
          ? 'warn'
          : isCritical(model, critical, line)
            ? 'critical'
            : 'plain'
    return (
      <path
        key={line.key}
        className={`line ${line.kind} ${tone}`}
        d={linePath(line, scale.x(line.fromMs) - viewport.panPx, scale.x(line.toMs) - viewport.panPx)}
        markerEnd={line.kind === 'sent' ? undefined : `url(#arrow-${tone})`}
      />
    )
  })
}

function thin(lines: readonly Connector[], matters: (line: Connector) => boolean): readonly Connector[] {
  const first = lines.filter(matters).slice(0, MAX_LINES)
  const step = Math.ceil(lines.length / Math.max(1, MAX_LINES - first.length))
  return [...new Set([...first, ...lines.filter((_, index) => index % step === 0)])]
}

function criticalHops(model: JourneyModel): ReadonlySet<number> {
  return new Set(model.critical.flatMap((step) => (step.kind === 'hop' ? [step.hop.index] : [])))
}

function isCritical(model: JourneyModel, hops: ReadonlySet<number>, line: Connector): boolean {
  if (line.kind === 'sent' || line.kind === 'received') return line.hop !== null && hops.has(line.hop)
  if (line.kind !== 'call' && line.kind !== 'child' && line.kind !== 'async-child') return false
  return line.spans.every((key) => model.spans.get(key)?.critical === true)
}

function linePath(line: Connector, fromX: number, toX: number): string {
  const down = line.toY >= line.fromY ? 1 : -1
  if (line.bent) {
    // Leaves downwards, arrives from the left: where a retry starts behind the attempt that failed.
    const reach = Math.min(60, Math.max(18, Math.abs(toX - fromX) / 2))
    const leaveX = fromX - 2
    return `M${leaveX} ${line.fromY}C${leaveX} ${line.fromY + down * 16} ${toX - reach} ${line.toY + down * 8} ${toX - 1} ${line.toY}`
  }
  if (Math.abs(toX - fromX) < 1.5) return `M${toX} ${line.fromY}V${line.toY}`
  const half = (line.toY - line.fromY) / 2
  return `M${fromX} ${line.fromY}C${fromX} ${line.fromY + half} ${toX} ${line.toY - half} ${toX} ${line.toY}`
}

/** The critical path: a line above the bars and capsules that decided how long the journey took. */
export function CriticalLine({
  model,
  layout,
  view,
  top,
  bottom,
}: {
  readonly model: JourneyModel
  readonly layout: Layout
  readonly view: TimeView
  readonly top: number
  readonly bottom: number
}) {
  const { scale, viewport, width } = view
  const parts: string[] = []
  let reachedX = Number.NEGATIVE_INFINITY
  for (const step of model.critical) {
    const place =
      step.kind === 'hop' ? layout.capsuleOf.get(step.hop.index) : layout.barOf.get(refKey(step.span))
    if (place === undefined || place.y < top - 8 || place.y > bottom + 8) continue
    const from = Math.max(-10, scale.x(step.startMs) - viewport.panPx)
    // A replay is read long after the others had the message: its capsule ended with them.
    const endMs = 'capsule' in place ? Math.min(step.endMs, place.capsule.endMs ?? step.endMs) : step.endMs
    const to = Math.min(width + 10, scale.x(endMs) - viewport.panPx)
    // Steps of less than half a pixel say nothing, and there may be thousands.
    if (to - from < 0.5 && to - reachedX < 0.5) continue
    if (to < from) continue
    reachedX = to
    parts.push(`M${from.toFixed(1)} ${place.y - 2.5}H${Math.max(to, from + 1).toFixed(1)}`)
  }
  return <path className="critical-path" d={parts.join('')} />
}
