import { type MeterProvider, metrics, type Tracer, type TracerProvider, trace } from '@opentelemetry/api'
import {
  InstrumentationBase,
  InstrumentationNodeModuleDefinition,
  InstrumentationNodeModuleFile,
} from '@opentelemetry/instrumentation'
import { registeredTracers, type Scope } from '@throughline/core/tracing'
import { guarded, warnOnce } from './guard.ts'
import type { ClientInstrumentationConfig } from './options.ts'
import { createPatches, type Patches } from './patches.ts'
import { version } from './version.ts'

/** Which client, and which of its versions. */
export interface Supported {
  /** Name of its npm package. */
  readonly client: string
  /** Its first supported version, and the first major that is not: `{ from: '2.0.0', before: 3 }`. */
  readonly from: string
  readonly before: number
  /** Files of the package that are wrapped in place of its entry point: `lib/channel.js`. */
  readonly files?: readonly string[]
}

/** What a client's own file does with it. */
export interface Tracing<Config> {
  readonly patches: Patches
  readonly scope: Scope
  /** As it is now: options may be set at any time; clients made before keep theirs. */
  config(): Config
  /** False while it is disabled: for handlers that the client goes on calling. */
  isEnabled(): boolean
}

/** One client's instrumentation: OpenTelemetry's base finds the module, its own file wraps it. */
export abstract class ClientInstrumentation<
  Config extends ClientInstrumentationConfig = ClientInstrumentationConfig,
> extends InstrumentationBase<Config> {
  // Fields have no initial values: the base's constructor calls `init` before they would be set.
  declare private providers: { meter?: MeterProvider | undefined }
  declare private patches: Patches

  constructor(config: Config = {} as Config) {
    super('@throughline/instrumentation', version, config)
  }

  /** Which module it wraps. */
  protected abstract supported(): Supported

  /**
   * Wraps the module's classes; it may be called again for the same ones (`import` and `require` of one module). `file`:
   * which of the package's files, where those are wrapped.
   */
  protected abstract patch(module: unknown, tracing: Tracing<Config>, file: string | undefined): void

  protected override init(): InstrumentationNodeModuleDefinition {
    const { client, from, before, files } = this.supported()
    this.providers = {}
    this.patches = createPatches(client, () => this.isEnabled())
    const patchFile = (file: string | undefined) => (module: unknown, found?: string) => {
      if (!isSupported(found, from, before)) {
        warnOnce(
          `${client} ${found} is left alone: versions from ${from} to before ${before}.0.0 are known. Update @throughline/instrumentation, or disable it for ${client}`,
        )
        return module
      }
      guarded(`wrapping ${client}`, () => this.patch(module, this.tracing(), file))
      return module
    }
    const restore = () => this.patches.restore()
    if (files === undefined) {
      return new InstrumentationNodeModuleDefinition(client, ['*'], patchFile(undefined), restore)
    }
    const wrapped = files.map(
      (file) => new InstrumentationNodeModuleFile(`${client}/${file}`, ['*'], patchFile(file), restore),
    )
    return new InstrumentationNodeModuleDefinition(client, ['*'], undefined, undefined, wrapped)
  }

  override setTracerProvider(provider: TracerProvider): void {
    super.setTracerProvider(provider === trace.getTracerProvider() ? registeredTracers : provider)
  }

  override setMeterProvider(provider: MeterProvider): void {
    super.setMeterProvider(provider)
    // The API's own while there is no SDK, of which nothing would be counted when there is one.
    this.providers.meter = provider === metrics.getMeterProvider() ? undefined : provider
  }

  private tracing(): Tracing<Config> {
    const tracer = (): Tracer => this.tracer
    const meter = () => this.providers.meter
    return {
      patches: this.patches,
      scope: {
        get tracer() {
          return tracer()
        },
        meterProvider: () => meter() ?? metrics.getMeterProvider(),
      },
      config: () => this.getConfig(),
      isEnabled: () => this.isEnabled(),
    }
  }
}

/** Pre-releases count as the version that they lead to. */
function isSupported(found: string | undefined, from: string, before: number): boolean {
  const numbers = (text: string) => text.split(/[.-]/, 3).map(Number)
  if (found === undefined) return true
  const [major = 0, minor = 0, patch = 0] = numbers(found)
  const [leastMajor = 0, leastMinor = 0, leastPatch = 0] = numbers(from)
  if (major >= before) return false
  if (major !== leastMajor) return major > leastMajor
  return minor !== leastMinor ? minor > leastMinor : patch >= leastPatch
}
