import { middle, transportName } from '../format.ts'
import { TransportGlyph } from '../ui/glyphs.tsx'
import type { Lane } from './layout.ts'

const MONO_CHAR_PX = 6.7
const LABEL_CHAR_PX = 7.4
const SIGNS_PX = 56
/** A lane higher than this has its name at its top, where it stays while the lane scrolls. */
const CENTRED_PX = 150

/** The lanes' grounds and names. Without a gutter, names stand above what is in their lane. */
export function LaneNames({
  lanes,
  gutter,
  top,
  bottom,
}: {
  readonly lanes: readonly Lane[]
  readonly gutter: number
  readonly top: number
  readonly bottom: number
}) {
  return lanes
    .filter((lane) => lane.top + lane.height >= top && lane.top <= bottom)
    .map((lane) => (
      <div
        key={lane.key}
        className={`lane of-${lane.kind}`}
        style={{ top: lane.top, height: lane.height }}
        title={lane.transport === null ? lane.name : `${transportName(lane.transport)} ${lane.name}`}
      >
        <div
          className="lane-name"
          style={
            gutter === 0 ? undefined : { width: gutter, height: lane.height > CENTRED_PX ? 38 : lane.height }
          }
        >
          {lane.transport === null ? (
            <span className={`dot s${lane.serviceIndex % 8}`} />
          ) : (
            <TransportGlyph transport={lane.transport} />
          )}
          <span className="lane-text">{nameThatFits(lane, gutter)}</span>
        </div>
      </div>
    ))
}

function nameThatFits(lane: Lane, gutter: number): string {
  if (gutter === 0) return middle(lane.name, 46)
  return middle(
    lane.name,
    Math.floor((gutter - SIGNS_PX) / (lane.kind === 'service' ? LABEL_CHAR_PX : MONO_CHAR_PX)),
  )
}
