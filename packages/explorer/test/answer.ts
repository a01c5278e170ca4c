import { z } from 'zod'

/** The JSON of an answer, checked for what a test reads of it. */
export async function answerOf<Schema extends z.ZodType>(
  answer: Response | Promise<Response>,
  schema: Schema,
): Promise<z.infer<Schema>> {
  return schema.parse(await (await answer).json())
}

export const statusAnswer = z.object({ code: z.number(), message: z.string() })
export const exportAnswer = z.object({ partialSuccess: z.looseObject({ errorMessage: z.string() }) })
export const problemAnswer = z.object({ status: z.number(), code: z.string(), detail: z.string() })
export const listAnswer = z.object({
  journeys: z.array(z.looseObject({ id: z.string(), traceId: z.string(), spanCount: z.number() })),
  next: z.string().nullable(),
})
export const journeyAnswer = z.looseObject({
  id: z.string(),
  traceIds: z.array(z.string()),
  spans: z.array(z.unknown()),
})
export const explorerStatus = z.looseObject({
  spanCount: z.number(),
  bytes: z.number(),
  otlpHttp: z.string().nullable(),
})
