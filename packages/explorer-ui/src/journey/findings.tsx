import type { Finding } from '@throughline/explorer/api'
import { CopyButton } from '../ui/copy.tsx'
import { BrokenChain } from '../ui/glyphs.tsx'
import { chainBreak, type JourneyModel, refKey } from './model.ts'
import type { Selection } from './state.ts'

/** What is not as it should be, each with what to do about it. */
export function Findings({
  model,
  findings = model.journey.findings,
  onSelect,
}: {
  readonly model: JourneyModel
  readonly findings?: readonly Finding[]
  readonly onSelect: (selection: Selection) => void
}) {
  if (findings.length === 0) {
    return (
      <div className="all-well">
        <h2>Nothing missing</h2>
        <p>Every span names a cause that was received. Select a span or a message to see its details.</p>
      </div>
    )
  }
  return (
    <section className="findings" aria-label="Findings">
      <h2>{findings.length === 1 ? 'Finding' : `${findings.length} findings`}</h2>
      {findings.map((finding, index) => (
        <FindingCard key={`${index} ${finding.code}`} model={model} finding={finding} onSelect={onSelect} />
      ))}
    </section>
  )
}

function FindingCard({
  model,
  finding,
  onSelect,
}: {
  readonly model: JourneyModel
  readonly finding: Finding
  readonly onSelect: (selection: Selection) => void
}) {
  const target = targetOf(model, finding)
  return (
    <article className={`finding ${finding.severity}`}>
      <h3>
        {chainBreak(finding) && <BrokenChain />}
        {finding.title}
      </h3>
      <p>{finding.detail}</p>
      {finding.fix !== null && (
        <p className="fix">
          <strong>Fix</strong> {finding.fix}
        </p>
      )}
      <p className="actions">
        {target !== null && (
          <button type="button" className="button small" onClick={() => onSelect(target)}>
            Show
          </button>
        )}
        <CopyButton text={findingText(finding)} />
      </p>
    </article>
  )
}

function targetOf(model: JourneyModel, finding: Finding): Selection {
  if (finding.hop !== null) return { kind: 'hop', index: finding.hop }
  const span = finding.span === null ? undefined : model.spans.get(refKey(finding.span))
  return span === undefined ? null : { kind: 'span', key: refKey(span), span }
}

/** A finding as text for a chat or a ticket. */
export function findingText(finding: Finding): string {
  const lines = [finding.title, finding.detail]
  if (finding.fix !== null) lines.push(`Fix: ${finding.fix}`)
  if (finding.span !== null) lines.push(`trace ${finding.span.traceId} span ${finding.span.spanId}`)
  if (finding.missing !== null)
    lines.push(`missing: trace ${finding.missing.traceId} span ${finding.missing.spanId}`)
  return lines.filter((line) => line !== '').join('\n')
}
