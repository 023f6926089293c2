import { readdir, readFile } from 'node:fs/promises'
import { EgressInfo, ListEgressResponse, WebhookEvent } from '@livekit/protocol'
import { expect } from 'chai'
import { protoJson } from '../../src/simulator/protojson.ts'
import { orderedForm } from './form.ts'
import { repeatRecordings, type Answer } from './recorded-scenario.ts'
import { startRun, type Run } from './run.ts'
import { startStillWriter } from './still-writer.ts'

type Recorded = { body: string; path: string; request: object; status: number; contentType: string; response: string }

const RECORDINGS = ['egress-killed', 'nothing-to-record', 'participant-stopped', 'pipeline-failed'].concat([
  'stopped-while-starting',
  'track-composite-ended',
])

const QUICK = {
  egressStartDelayMs: 20,
  startAnswerMs: 20,
  joinMs: 20,
  firstPacketMs: 200,
  activeMs: 50,
  landingLagMs: 50,
  endedMs: 20,
  stopStartingMs: 50,
  stopUnansweredMs: 20,
  startUnansweredMs: 20,
  sourceWaitMs: 300,
  startSignalMs: 50,
  connectionTimeoutMs: 50,
  roomFinishedMs: 100,
}

/** Counts in a room are refreshed now and then by LiveKit, so that whether they are there is a matter of luck. */
function withoutCounts(body: string): string {
  return body.replace(/, "(numParticipants|numPublishers|activeRecording)":(\d+|true)/g, '')
}

describe('the simulator beside a recorded LiveKit', () => {
  let run: Run
  let answers: Answer[]

  before(async () => {
    run = await startRun({ timing: QUICK, startWriter: startStillWriter })
    answers = await repeatRecordings(run)
  })

  after(() => run.stop())

  it('sends each kind of webhook with the keys, the order and the forms of the recorded ones, and no other kind', async () => {
    const recorded = new Set<string>()
    for (const { body } of await lines('webhook-fixtures', (name) => `${name}.jsonl`)) {
      recorded.add(orderedForm(withoutCounts(body)))
    }
    const sent = new Set(run.receiver.deliveries.map(({ body }) => orderedForm(withoutCounts(body))))

    expect([...sent].filter((form) => !recorded.has(form))).to.deep.equal([])
    expect([...recorded].filter((form) => !sent.has(form))).to.deep.equal([])
  })

  it('sends them as the recorded LiveKit does: content type, a token without Bearer, a space after each comma', () => {
    for (const { headers, body } of run.receiver.deliveries) {
      expect(headers['content-type']).to.equal('application/webhook+json')
      expect(headers.authorization).to.match(/^[\w-]+\.[\w-]+\.[\w-]+$/)
      expect(body).to.match(/^\{"event":"\w+", "/)
    }
  })

  it('answers each call with the status, the content type and the form of a recorded answer', async () => {
    const known = new Set<string>()
    for (const one of await lines('recordings', (name) => `${name}/twirp.jsonl`)) {
      known.add(`${one.path} ${one.status} ${one.contentType} ${answerForm(one.status, one.response)}`)
    }
    const given = new Set(
      answers.map((one) => `${one.path} ${one.status} ${one.type} ${answerForm(one.status, one.text)}`),
    )

    expect([...given].filter((one) => !known.has(one))).to.deep.equal([])
    expect([...known].filter((one) => !given.has(one) && !isListOfLuck(one))).to.deep.equal([])
  })

  it('writes playlists line by line like the recorded ones, and a manifest with the same keys', async () => {
    const recorded = 'recordings/participant-stopped/out/0192-s1'
    for (const name of ['index.m3u8', 'live.m3u8']) {
      const [ours, theirs] = [await run.read('alice', name), await readFile(`${recorded}/${name}`, 'utf8')]
      expect(playlistForms(ours)).to.deep.equal(playlistForms(theirs))
    }
    const manifest = (await readdir(`${run.directory}/alice`)).find((name) => name.endsWith('.json')) ?? ''
    const theirs = await readFile(`${recorded}/EG_jZeJdpxxWARf.json`, 'utf8')
    expect(orderedForm(await run.read('alice', manifest))).to.equal(orderedForm(theirs))
  })

  it('writes every recorded webhook and answer again, byte for byte', async () => {
    for (const { body } of await lines('webhook-fixtures', (name) => `${name}.jsonl`)) {
      expect(protoJson(WebhookEvent.fromJsonString(body), 'webhook')).to.equal(body)
    }
    for (const { path, status, response } of await lines('recordings', (name) => `${name}/twirp.jsonl`)) {
      const type = path.endsWith('ListEgress') ? ListEgressResponse : EgressInfo
      if (status === 200) expect(protoJson(type.fromJsonString(response), 'twirp')).to.equal(response)
    }
  })
})

/** Only what a list holds varies; each of its entries must have a recorded form, and the first one tells. */
function answerForm(status: number, response: string): string {
  return status === 200 ? orderedForm(response) : response
}

/** Recorded lists of egresses in a state at which the run did not happen to look. */
function isListOfLuck(answer: string): boolean {
  return answer.includes('ListEgress 200')
}

/** Every kind of line, in the order in which it is met first. */
function playlistForms(text: string): string[] {
  const forms = text.split('\n').map((line) =>
    line
      .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?Z/, 'TIME')
      .replace(/EXTINF:\d+\.\d{3},/, 'EXTINF:n.nnn,')
      .replace(/(DURATION|SEQUENCE):\d+/, '$1:n')
      .replace(/seg_\d{5}/, 'seg_nnnnn'),
  )
  return [...new Set(forms)]
}

async function lines(folder: string, file: (name: string) => string): Promise<Recorded[]> {
  const texts = await Promise.all(RECORDINGS.map((name) => readFile(`${folder}/${file(name)}`, 'utf8')))
  return texts.flatMap((text) => text.trim().split('\n')).map((line) => JSON.parse(line) as Recorded)
}
