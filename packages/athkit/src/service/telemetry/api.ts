/** Of `@opentelemetry/api`, what is needed here; its own `Tracer` and `Meter` fit. */

export type Attributes = Record<string, string | number | boolean>

export interface Span {
  setAttributes(attributes: Attributes): unknown
  /** `code` 2 is an error. */
  setStatus(status: { readonly code: number }): unknown
  end(): void
}

export interface Tracer {
  startActiveSpan<T>(
    name: string,
    options: { readonly kind?: number; readonly attributes?: Attributes },
    work: (span: Span) => T,
  ): T
}

interface Described {
  readonly description?: string
  readonly unit?: string
}

export interface Counter {
  add(value: number, attributes?: Attributes): void
}

export interface Histogram {
  record(value: number, attributes?: Attributes): void
}

export interface Gauge {
  addCallback(callback: (result: { observe(value: number, attributes?: Attributes): void }) => void): void
}

export interface Meter {
  createCounter(name: string, options?: Described): Counter
  createUpDownCounter(name: string, options?: Described): Counter
  createHistogram(name: string, options?: Described): Histogram
  createObservableGauge(name: string, options?: Described): Gauge
}

/** `createService({ telemetry: { tracer: trace.getTracer('athkit'), meter: metrics.getMeter('athkit') } })`. */
export interface TelemetryOptions {
  readonly tracer?: Tracer
  readonly meter?: Meter
}
