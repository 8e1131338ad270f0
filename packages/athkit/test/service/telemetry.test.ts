import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics'
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base'
import pino from 'pino'
import { describe, expect, test } from 'vitest'
import { requireGrant } from '../../src/service/index.ts'
import { sealedShop } from './sealed/session.ts'
import { ASK_NOBODY, agentOf, shop } from './shop.ts'

/** The real SDK, in memory. */
function opentelemetry() {
  const spans = new InMemorySpanExporter()
  const tracer = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] }).getTracer(
    'athkit',
  )
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 })
  const provider = new MeterProvider({ readers: [reader] })
  async function metrics() {
    await reader.forceFlush()
    const all = exporter.getMetrics().at(-1)?.scopeMetrics[0]?.metrics ?? []
    return new Map(all.map(({ descriptor, dataPoints }) => [descriptor.name, dataPoints]))
  }
  return {
    telemetry: { tracer, meter: provider.getMeter('athkit') },
    spans,
    metrics,
    end: () => provider.shutdown(),
  }
}

const named = (spans: InMemorySpanExporter) =>
  spans
    .getFinishedSpans()
    .map(({ name, attributes }) => [name, attributes['ath.status'], attributes['ath.error']])

describe('OpenTelemetry, through its own API', () => {
  test('a span for every message of a handshake, with what became of it', async () => {
    const { telemetry, spans, end } = opentelemetry()
    const at = await shop({ ...ASK_NOBODY, telemetry })
    const agent = await agentOf(at)
    const m5 = await agent.m5()
    await agent.post([agent.m3, m5, await agent.m9a(m5)])
    await agent.post({ type: 'nonsense' })
    expect(named(spans)).toEqual([
      ['ath m1', 201, undefined],
      ['ath m3', 200, undefined],
      ['ath m5', 200, undefined],
      ['ath m9a', 200, undefined],
      ['ath other', 409, 'out_of_order'],
    ])
    await end()
  })

  test('metrics: handshakes, refusals, sealed requests, the store, streams, questions', async () => {
    const { telemetry, metrics, end } = opentelemetry()
    const at = await shop({ telemetry })
    const agent = await agentOf(at)
    await agent.post([agent.m3, await agent.m5()])
    await agent.post({ type: 'nonsense' })
    const found = await metrics()
    const values = (name: string) =>
      found.get(name)?.map(({ attributes, value }) => [attributes, value]) ?? []
    expect(values('ath.handshakes')).toEqual([[{ 'ath.outcome': 'started' }, 1]])
    expect(values('ath.refusals')).toEqual([[{ 'ath.error': 'malformed_message' }, 1]])
    expect(values('ath.questions.pending')).toEqual([[{}, 1]])
    expect(values('ath.streams.open')).toEqual([[{}, 0]])
    expect(found.get('ath.store.duration')?.[0]?.attributes).toEqual({ 'ath.outcome': 'done' })
    expect(found.get('ath.message.duration')?.map(({ attributes }) => attributes['ath.message'])).toEqual([
      'm1',
      'm3',
      'm5',
      'other',
    ])
    await end()
  })

  test('sealed requests by their status and refusal; nobody is named, nothing secret', async () => {
    const { telemetry, spans, metrics, end } = opentelemetry()
    const { at, client } = await sealedShop(
      (request) => new Response(requireGrant(request, 'goods:read').account),
      { telemetry },
    )
    await client.send('GET', '/')
    await client.send('GET', '/', { token: null })
    await client.post(new Uint8Array(100))
    expect(named(spans)).toEqual([
      ['ath sealed', 200, undefined],
      ['ath sealed', 401, 'token_invalid'],
      ['ath sealed', 400, 'malformed_message'],
    ])
    expect((await metrics()).get('ath.sealed.duration')).toHaveLength(3)
    const all = JSON.stringify([
      spans.getFinishedSpans().map(({ attributes }) => attributes),
      [...(await metrics())],
    ])
    for (const secret of [at.agent.did, at.user.did, client.token, client.grant.id]) {
      expect(all).not.toContain(secret)
    }
    await end()
  })
})

describe('a logger of four methods', () => {
  test('is pino as it is: levels by what it is about, exceptions under err', async () => {
    const lines: Record<string, unknown>[] = []
    const logger = pino({ level: 'debug' }, { write: (line) => void lines.push(JSON.parse(line)) })
    const at = await shop({ ...ASK_NOBODY, logger })
    const agent = await agentOf(at)
    const m5 = await agent.m5()
    await agent.post([agent.m3, m5, await agent.m9a(m5)])
    await at.call('POST', '/ath/handshake', {})
    at.service.emit({ type: 'failed', where: 'a test', cause: new Error('broken') })
    const told = lines.map(({ level, msg }) => [level, msg])
    expect(told).toContainEqual([40, expect.stringContaining('skipUserConfirmation')])
    expect(told).toContainEqual([20, 'handshake started'])
    expect(told).toContainEqual([30, 'identity proven'])
    expect(told).toContainEqual([30, 'token issued'])
    expect(told).toContainEqual([20, 'refused'])
    expect(told).toContainEqual([50, 'a test failed'])
    expect(lines.at(-1)).toMatchObject({ err: { type: 'Error', message: 'broken' } })
    expect(at.events.map(({ type }) => type)).toContain('token_issued')
  })
})
