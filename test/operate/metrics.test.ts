import { readFile } from 'node:fs/promises'
import { parser } from '@prometheus-io/lezer-promql'
import { expect } from 'chai'
import { load } from 'js-yaml'
import { createMetrics } from '../../src/metrics.ts'
import { ROOM, startRecordedShare, USER, type RecordedShare } from '../support/recorded-share.ts'
import { memberToken } from '../support/service.ts'
import { openEvents } from '../support/events.ts'
import { until } from '../support/until.ts'

const METRICS_TOKEN = 'a-token-that-only-prometheus-has'

const DEPLOY = new URL('../../deploy/', import.meta.url)

describe('the metrics', () => {
  let share: RecordedShare
  let token: string

  before(async () => {
    token = await memberToken(USER, ROOM)
    share = await startRecordedShare('participant-stopped', { env: { REPLAY_METRICS_TOKEN: METRICS_TOKEN } })
    for (let n = 0; n < 8; n += 1) {
      share.setClock(share.startedAtMs + (n + 1) * 2000 + 2700)
      await share.land({ from: n, to: n + 1 })
      await until('the segment', async () => (await read()).of('replay_segments_landed_total') === n + 1)
    }
  })
  after(() => share.stop())

  const session = () => `/v1/sessions/${share.sessionId}/clips`

  async function read() {
    const { status, body } = await share.call('GET', '/metrics', { token: METRICS_TOKEN })
    expect(status).to.equal(200)
    return parse(body.toString() as string)
  }

  function capture(fromMs: number, lengthMs: number) {
    const from = new Date(share.startedAtMs + fromMs)
    return share.call('POST', session(), { token, body: { from, to: new Date(from.getTime() + lengthMs) } })
  }

  it('say how segments land and how far behind, for each session that lives', async () => {
    const metrics = await read()
    expect(metrics.of('replay_segments_landed_total')).to.equal(8)
    expect(metrics.of('replay_segments_unreadable_total')).to.equal(0)
    expect(metrics.of('replay_landing_lag_seconds_count')).to.equal(8)
    const clock = `replay_session_clock_lag_seconds{session="${share.sessionId}"}`
    // The clock goes on while the machine is busy.
    expect(metrics.of(clock)).to.be.within(2, 12)
    expect(metrics.of(`replay_session_clock_drift_seconds{session="${share.sessionId}"}`)).to.be.within(-10, 10)
    // Among what was recorded is that its egress is about to end.
    expect(metrics.of('replay_sessions{status="stopping"}')).to.equal(1)
    expect(metrics.of('replay_sessions{status="failed"}')).to.equal(0)
    expect(metrics.of('replay_buffer_bytes')).to.be.greaterThan(100_000)
    expect(metrics.of('replay_volume_free_bytes{volume="buffer"}')).to.be.greaterThan(0)
    expect(metrics.of('replay_disk_full')).to.equal(0)
  })

  it('count captures by result, and time them from the press', async () => {
    share.setClock(share.startedAtMs + 60_000)
    expect((await capture(1000, 3000)).status).to.equal(201)
    expect((await capture(-90_000, 3000)).status).to.equal(422)
    const metrics = await read()
    expect(metrics.of('replay_captures_total{result="ready"}')).to.equal(1)
    expect(metrics.of('replay_captures_total{result="range_not_recorded"}')).to.equal(1)
    expect(metrics.of('replay_press_to_ready_seconds_count')).to.equal(1)
    await until('the clip at rest', async () => (await read()).of('replay_clip_bytes') > 0)
    expect((await read()).of('replay_job_duration_seconds_count{task="store_clip",outcome="done"}')).to.equal(1)
  })

  it('count webhooks by what they did, and time requests by route and calls to LiveKit by method', async () => {
    const event = JSON.stringify({ event: 'room_started', id: 'EV_metrics', room: { name: 'r', sid: 'RM_r' } })
    await share.deliver(event)
    await share.deliver(event)
    await share.deliver(event, { secret: 'somebody-elses-secret-somebody-elses' })
    const metrics = await read()
    expect(metrics.of('replay_webhooks_total{event="room_started",outcome="ignored"}')).to.equal(1)
    expect(metrics.of('replay_webhooks_total{event="room_started",outcome="duplicate"}')).to.equal(1)
    expect(metrics.of('replay_webhooks_total{event="unknown",outcome="bad_signature"}')).to.equal(1)
    const clips = 'method="POST",route="/v1/sessions/{id}/clips",status="201"'
    expect(metrics.of(`replay_http_request_duration_seconds_count{${clips}}`)).to.equal(1)
    const start = 'method="egress.start",outcome="ok"'
    expect(metrics.of(`replay_livekit_call_duration_seconds_count{${start}}`)).to.equal(1)
  })

  it('count the streams of events that are open', async () => {
    const events = await openEvents(share.url, token)
    await events.next('hello')
    expect((await read()).of('replay_event_streams')).to.equal(1)
    await events.close()
    await until('the end of the stream', async () => (await read()).of('replay_event_streams') === 0)
  })

  it('are for who has their token, and name nobody and no room', async () => {
    expect((await share.call('GET', '/metrics')).status).to.equal(401)
    expect((await share.call('GET', '/metrics', { token })).status).to.equal(401)
    const { text } = await read()
    expect(text).not.to.match(new RegExp(`"${USER}"|${ROOM}|${METRICS_TOKEN}`))
  })

  it('are all that the dashboard and the alert rules ask for, in expressions that Prometheus understands', async () => {
    const own = parse(await processMetrics())
    const metrics = await read()
    const dashboard = JSON.parse(await readFile(new URL('grafana-dashboard.json', DEPLOY), 'utf8')) as Dashboard
    const rules = load(await readFile(new URL('alerts.yml', DEPLOY), 'utf8')) as Rules
    const asked = [
      ...dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr.replaceAll('$instance', '.*'))),
      ...rules.groups.flatMap((group) => group.rules.map(({ expr }) => expr)),
    ]
    expect(asked.length).to.be.greaterThan(40)
    const told = await readFile(new URL('../docs/operating.md', DEPLOY), 'utf8')
    for (const [name] of told.matchAll(/\breplay_[a-z_]+[a-z]\b(?!_)/g))
      if (!name.endsWith('_process') && !name.endsWith('_nodejs'))
        expect(
          [...metrics.names].map((one) => one.replace(/_(bucket|sum|count)$/, '')),
          name,
        ).to.include(name)
    for (const expression of asked) {
      const selectors = selectorsIn(expression)
      expect(selectors, expression).not.to.deep.equal([])
      for (const { name, labels } of selectors) {
        expect([...metrics.names, ...own.names], expression).to.include(name)
        const known = new Set([...metrics.labelsOf(name), ...own.labelsOf(name), 'instance'])
        if (known.size > 1) expect([...known], expression).to.include.members(labels)
      }
    }
  })

  it('lose what they said of a session when it has ended', async () => {
    await share.tell('track_unpublished', 'participant_left', 'egress_ended')
    await until('the end', async () => !(await read()).text.includes(`session="${share.sessionId}"`))
    expect((await read()).of('replay_sessions{status="ended"}')).to.equal(1)
  })
})

interface Dashboard {
  panels: { targets?: { expr: string }[] }[]
}

interface Rules {
  groups: { rules: { expr: string }[] }[]
}

async function processMetrics(): Promise<string> {
  const metrics = createMetrics('0.0.0')
  metrics.watchProcess()
  const none = { database: undefined, volumes: [], isDiskFull: undefined, clocks: [], eventStreams: 0, parts: {} }
  return metrics.text(none)
}

/** The text format of Prometheus, as far as it is used here. */
function parse(text: string) {
  const values = new Map(
    text.split('\n').flatMap((line) => {
      const found = /^(\w+(?:\{.*\})?) (\S+)$/.exec(line)
      return found?.[1] === undefined ? [] : [[found[1], Number(found[2])] as const]
    }),
  )
  const types = [...text.matchAll(/^# TYPE (\w+) (\w+)$/gm)].map(([, name = '', type]) => ({ name, type }))
  const names = types.flatMap(({ name, type }) =>
    type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
  )
  return {
    text,
    names: new Set(names),
    of: (series: string) => values.get(series) ?? Number.NaN,
    labelsOf: (name: string) =>
      [...values.keys()].flatMap((series) =>
        series.startsWith(`${name}{`) ? [...series.matchAll(/[{,](\w+)=/g)].map(([, label = '']) => label) : [],
      ),
  }
}

/** Every selector of an expression. Throws if it is no PromQL. */
function selectorsIn(expression: string): { name: string; labels: string[] }[] {
  const selectors: { name: string; labels: string[] }[] = []
  parser.parse(expression).iterate({
    enter: ({ name, type, from, to }) => {
      const text = expression.slice(from, to)
      if (type.isError) throw new Error(`no PromQL: ${expression}`)
      if (name === 'VectorSelector') selectors.push({ name: text.replace(/\{.*/s, ''), labels: [] })
      if (name === 'LabelName' && selectors.length > 0 && /^\s*(=|!)/.test(expression.slice(to)))
        selectors.at(-1)?.labels.push(text)
    },
  })
  return selectors
}
