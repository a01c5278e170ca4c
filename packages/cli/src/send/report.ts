import { parseTraceparent, positionText, stringifyJson } from '@throughline/core'
import type { Sent } from '../destination/outlet.ts'

/** One line about a message that was confirmed: where it stands, its id, its trace. */
export function sentText(sent: Sent, destination: string): string {
  const { id, place, traceId } = facts(sent, destination)
  return [
    place,
    ...(id === undefined ? [] : [`id ${id}`]),
    traceId === null ? 'no trace' : `trace ${traceId}`,
  ].join('  ')
}

/** The same as one line of JSON. */
export function sentJson(sent: Sent, destination: string): string {
  const { id, place, traceId, partition, offset, statusCode } = facts(sent, destination)
  return stringifyJson({
    id,
    place,
    destination,
    partition,
    offset,
    statusCode,
    traceId,
    traceparent: sent.traceparent,
  })
}

function facts({ message, result, traceparent }: Sent, destination: string) {
  const { partition, offset, statusCode } = result.ok
    ? result
    : { partition: undefined, offset: undefined, statusCode: undefined }
  const where = positionText({
    destination,
    ...(partition === undefined ? {} : { partition }),
    ...(offset === undefined ? {} : { offset }),
  })
  const place = statusCode === undefined ? where : `${where} ${statusCode}`
  const traceId = parseTraceparent(traceparent)?.traceId ?? null
  return { id: message.event?.id, place, traceId, partition, offset, statusCode }
}
