import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import { samplerFromEnv } from '../src/sampler.ts'

afterEach(() => {
  delete process.env.OTEL_TRACES_SAMPLER
  delete process.env.OTEL_TRACES_SAMPLER_ARG
})

test("the sampler is the SDK's own where the environment names none", () => {
  assert.equal(samplerFromEnv(), undefined)
})

test('every sampler of the specification is known', () => {
  const expected = {
    always_on: 'AlwaysOnSampler',
    always_off: 'AlwaysOffSampler',
    traceidratio: 'TraceIdRatioBased{0.25}',
    parentbased_always_on: /^ParentBased\{root=AlwaysOnSampler/,
    parentbased_always_off: /^ParentBased\{root=AlwaysOffSampler/,
    parentbased_traceidratio: /^ParentBased\{root=TraceIdRatioBased\{0\.25\}/,
  }
  process.env.OTEL_TRACES_SAMPLER_ARG = '0.25'
  for (const [name, described] of Object.entries(expected)) {
    process.env.OTEL_TRACES_SAMPLER = name
    const text = String(samplerFromEnv())
    if (typeof described === 'string') assert.equal(text, described)
    else assert.match(text, described)
  }
})

test('a name or ratio that is not one is refused, with what was expected', () => {
  process.env.OTEL_TRACES_SAMPLER = 'sometimes'
  assert.throws(() => samplerFromEnv(), {
    code: 'TL_BAD_SAMPLER',
    message: /"sometimes"; expected always_on/,
  })
  process.env.OTEL_TRACES_SAMPLER = 'traceidratio'
  for (const ratio of ['2', '-1', 'half']) {
    process.env.OTEL_TRACES_SAMPLER_ARG = ratio
    assert.throws(() => samplerFromEnv(), {
      code: 'TL_BAD_SAMPLER',
      message: /expected a number from 0 to 1/,
    })
  }
})
