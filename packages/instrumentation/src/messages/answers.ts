/**
 * Makes a client's call, and tells how it was answered before whoever made it is told. Answers and errors, thrown or
 * rejected with, go on as they came.
 */
export function whenAnswered<Answer>(
  call: () => Promise<Answer>,
  answered: (answer: Answer) => void,
  failed: (error: unknown) => void,
): Promise<Answer> {
  const failing = (error: unknown): never => {
    failed(error)
    throw error
  }
  let answer: Promise<Answer>
  try {
    answer = call()
  } catch (error) {
    return failing(error)
  }
  return answer.then((value) => {
    answered(value)
    return value
  }, failing)
}
