import type { GroupPartitionsAssigner } from '@platformatic/kafka'

/** A group member as it introduces itself when it joins. */
export interface GroupMember {
  readonly topics: readonly string[]
  readonly owned: readonly { readonly topic: string; readonly partitions: readonly number[] }[]
  /** The generation in which it was given what it owns; -1 for a new member. */
  readonly generation: number
}

interface Place {
  readonly topic: string
  readonly partition: number
}

/**
 * Cooperative sticky assignment (KIP-429). Everybody keeps what they own as far as the loads stay within one of each
 * other; a partition that moves is left out for one round, in which its owner settles it and gives it up.
 * Pure; the result has every member. Why the driver's own is not used is in RATIONALE.md.
 */
export function assignCooperatively(
  members: ReadonlyMap<string, GroupMember>,
  partitionCounts: ReadonlyMap<string, number>,
): Map<string, Place[]> {
  const ids = [...members.keys()].toSorted()
  const claims = claimsOf(members)
  const assigned = new Map(ids.map((id): [string, Place[]] => [id, []]))
  const load = (id: string) => assigned.get(id)?.length ?? 0
  const wants = (id: string, { topic }: Place) => members.get(id)?.topics.includes(topic) ?? false

  const free: Place[] = []
  for (const [topic, count] of [...partitionCounts].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    for (let partition = 0; partition < count; partition++) {
      const place = { topic, partition }
      const [owner, ...others] = claims.get(nameOf(place)) ?? []
      // Claimed twice, nobody can be believed.
      if (owner === undefined || others.length > 0 || !wants(owner, place)) free.push(place)
      else assigned.get(owner)?.push(place)
    }
  }
  for (const place of free) {
    const [least] = ids.filter((id) => wants(id, place)).toSorted((a, b) => load(a) - load(b))
    if (least !== undefined) assigned.get(least)?.push(place)
  }
  while (moveOne());

  /** From a member that has two more than another one which wants it. */
  function moveOne(): boolean {
    const byLoad = ids.toSorted((a, b) => load(b) - load(a))
    for (const from of byLoad) {
      for (const to of byLoad.toReversed()) {
        if (load(from) - load(to) < 2) break
        const places = assigned.get(from) ?? []
        // What nobody has to give up moves first.
        const candidates = places.filter((place) => wants(to, place))
        const moving = candidates.find((place) => !claims.has(nameOf(place))) ?? candidates.at(-1)
        if (moving === undefined) continue
        places.splice(places.indexOf(moving), 1)
        assigned.get(to)?.push(moving)
        return true
      }
    }
    return false
  }

  for (const [id, places] of assigned) {
    const ready = places.filter((place) =>
      (claims.get(nameOf(place)) ?? []).every((claimer) => claimer === id),
    )
    assigned.set(id, ready)
  }
  return assigned
}

/** Who says to own what. Those of an earlier generation were thrown out meanwhile, and no longer do. */
function claimsOf(members: ReadonlyMap<string, GroupMember>): ReadonlyMap<string, readonly string[]> {
  const generation = Math.max(-1, ...[...members.values()].map((member) => member.generation))
  const claims = new Map<string, string[]>()
  for (const [id, member] of members) {
    if (member.generation < generation) continue
    for (const { topic, partitions } of member.owned) {
      for (const partition of partitions) {
        const name = nameOf({ topic, partition })
        claims.set(name, [...(claims.get(name) ?? []), id])
      }
    }
  }
  return claims
}

function nameOf({ topic, partition }: Place): string {
  return `${topic}/${partition}`
}

/** The same in the shape that the driver asks for. */
export const cooperativeAssigner: GroupPartitionsAssigner = (_, members, __, metadata) => {
  const introduced = new Map(
    [...members].map(
      ([id, { topics = [], ownedPartitions = [], generationId = -1 }]): [string, GroupMember] => [
        id,
        { topics, owned: ownedPartitions, generation: generationId },
      ],
    ),
  )
  const counts = new Map([...metadata.topics].map(([topic, { partitionsCount }]) => [topic, partitionsCount]))
  return [...assignCooperatively(introduced, counts)].map(([memberId, places]) => {
    const byTopic = Map.groupBy(places, ({ topic }) => topic)
    const assignments = [...byTopic].map(
      ([topic, those]): [string, { topic: string; partitions: number[] }] => [
        topic,
        { topic, partitions: those.map(({ partition }) => partition) },
      ],
    )
    return { memberId, assignments: new Map(assignments) }
  })
}
