import { metrics, trace } from '@opentelemetry/api'
import pino from 'pino'
import type { Logger, TelemetryOptions } from '../../src/service/index.ts'

/** Type-checked by `apps.test.ts`: what `@opentelemetry/api` and pino give fits as it is. */
export const telemetry: TelemetryOptions = {
  tracer: trace.getTracer('athkit'),
  meter: metrics.getMeter('athkit'),
}
export const logger: Logger = pino()
