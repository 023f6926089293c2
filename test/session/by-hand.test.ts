import { expect } from 'chai'
import { memberToken } from '../support/service.ts'
import { until } from '../support/until.ts'
import { fates, reconcile, settle, sharing } from './fault-row.ts'
import { startStage, type Scene, type Stage } from './stage.ts'

describe('a session by hand', () => {
  let stage: Stage
  before(async () => {
    stage = await startStage({ env: { REPLAY_AUTO_START: 'off', REPLAY_COMMUNITY_MAX_SESSIONS: '1' } })
  })
  after(() => stage.stop())

  const post = async (scene: Scene, body: object = {}, userId = 'alice') =>
    stage.call('POST', '/v1/sessions', {
      token: await memberToken(userId, scene.room),
      body: { room: scene.room, ...body },
    })

  it('is started while sharing starts nothing by itself, and goes on when its egress fails', async () => {
    const scene = stage.scene('by hand')
    scene.share()
    await reconcile(scene)
    expect(await scene.sessions()).to.deep.equal([])
    const { status, body } = await post(scene, { quality: '720p', communityId: 'chess' })
    expect(status).to.equal(201)
    expect(body).to.include({ userId: 'alice', quality: '720p', communityId: 'chess', status: 'starting' })
    const session = await scene.recording()
    stage.simulator.killEgressHandler(session.egress_id ?? '')
    await until('its successor', async () => (await scene.sessions()).length === 2)
    const next = await scene.recording()
    expect(next).to.include({ requested_by: 'api', quality: '720p', community_id: 'chess' })
    scene.leave()
    await scene.quiet()
  })

  it('is refused with 409 while there is one', async () => {
    const scene = stage.scene('twice')
    scene.share()
    const answers = await Promise.all([post(scene), post(scene), post(scene)])
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).to.deep.equal([201, 409, 409])
    const refused = answers.find(({ status }) => status === 409)
    expect(refused?.body.code).to.equal('already_recording')
    await scene.recording()
    scene.leave()
    await scene.quiet()
  })

  it('is refused with 404 when the user shares nothing, or is not there', async () => {
    const scene = stage.scene('nothing shared')
    expect((await post(scene)).body).to.include({ status: 404, code: 'not_sharing' })
    expect((await post(scene, {}, 'bob')).body).to.include({ status: 404, code: 'not_sharing' })
  })

  it('is refused with 403 for another user, and for one who opted out', async () => {
    const scene = stage.scene('not me', { attributes: { 'replay.enabled': 'false' } })
    scene.share()
    expect((await post(scene)).body).to.include({ status: 403, code: 'forbidden' })
    expect((await post(scene, { userId: 'bob' })).body).to.include({ status: 403, code: 'forbidden' })
  })

  it('is refused with 409 over the limit of its community, and with 507 on a full disk', async () => {
    const scenes = ['first of two', 'second of two'].map((room) => stage.scene(room))
    for (const scene of scenes) scene.share()
    const answers = await Promise.all(scenes.map((scene) => post(scene, { communityId: 'crowd' })))
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).to.deep.equal([201, 409])
    expect(answers.find(({ status }) => status === 409)?.body.code).to.equal('limit_reached')
    const refused = scenes[answers.findIndex(({ status }) => status === 409)]
    if (!refused) throw new Error('one was refused')
    const { minFreeBytes } = stage.config
    stage.config.minFreeBytes = Number.MAX_SAFE_INTEGER
    expect((await post(refused)).body).to.include({ status: 507, code: 'storage_full' })
    stage.config.minFreeBytes = minFreeBytes
    for (const scene of scenes) scene.leave()
    for (const scene of scenes) await scene.quiet()
  })

  it('is refused with 503 when LiveKit does not answer', async () => {
    const scene = stage.scene('livekit away')
    scene.share()
    stage.simulator.faults.roomServiceUnavailable = true
    expect((await post(scene)).body).to.include({ status: 503, code: 'livekit_unavailable' })
    stage.simulator.faults.roomServiceUnavailable = false
  })
})

describe('a share that may not be recorded', () => {
  let stage: Stage
  before(async () => {
    stage = await startStage({ env: { REPLAY_COMMUNITY_MAX_SESSIONS: '1' } })
  })
  after(() => stage.stop())

  const list = async ({ room }: Scene, status = '') => {
    const token = await memberToken('alice', room)
    return (await stage.call('GET', `/v1/sessions?room=${room}${status}`, { token })).body.sessions
  }

  it('is shown as refused over the limit of its community, and recorded when there is room for it', async () => {
    const attributes = { 'replay.community': 'crowd' }
    const first = stage.scene('taken', { attributes })
    await sharing(first)
    const second = stage.scene('refused', { attributes })
    second.share()
    await until('the refusal', async () => (await second.sessions())[0]?.status === 'refused')
    const [shown] = await list(second, '&status=refused')
    expect(shown).to.include({ status: 'refused', endedReason: 'limit', communityId: 'crowd' })
    expect(shown.error).to.equal('the community has its 1 live buffers')
    expect(stage.lines.filter(({ why, room }) => why === 'refused' && room === 'refused')).to.have.length(1)

    await reconcile(second)
    expect((await second.sessions())[0]?.status).to.equal('refused')
    first.leave()
    await first.quiet()
    await reconcile(second)
    await second.recording()
    expect(fates(await second.sessions())).to.deep.equal(['active'])
    second.leave()
    await second.quiet()
  })

  it('is shown as refused on a full disk, and forgotten when it ends', async () => {
    stage.config.minFreeBytes = Number.MAX_SAFE_INTEGER
    const scene = stage.scene('full')
    scene.share()
    await until('the refusal', async () => (await scene.sessions())[0]?.status === 'refused')
    expect((await list(scene))[0]).to.include({ status: 'refused', endedReason: 'disk' })
    stage.config.minFreeBytes = 0
    scene.leave()
    await until('nothing left', async () => (await list(scene)).length === 0)
  })

  it('keeps its refused session when somebody has pressed on it, as ended', async () => {
    stage.config.minFreeBytes = Number.MAX_SAFE_INTEGER
    const scene = stage.scene('pressed')
    scene.share()
    const refused = await until('the refusal', async () => {
      const [session] = await scene.sessions()
      return session?.status === 'refused' && session
    })
    stage.config.minFreeBytes = 0
    const token = await memberToken('alice', scene.room)
    const headers = { prefer: 'respond-async' }
    const press = await stage.call('POST', `/v1/sessions/${refused.id}/clips`, {
      token,
      headers,
      body: { lastSeconds: 5 },
    })
    scene.leave()
    await until('the end', async () => (await scene.sessions()).every(({ ended_at: at }) => at))
    expect(press.status).to.equal(202)
    expect(fates(await scene.sessions())).to.deep.equal(['ended unshared'])
  })

  it('does not come back when its refused session was stopped by hand', async () => {
    stage.config.minFreeBytes = Number.MAX_SAFE_INTEGER
    const scene = stage.scene('unwanted')
    scene.share()
    const refused = await until('the refusal', async () => {
      const [session] = await scene.sessions()
      return session?.status === 'refused' && session
    })
    const token = await memberToken('alice', scene.room)
    expect((await stage.call('DELETE', `/v1/sessions/${refused.id}`, { token })).status).to.equal(200)
    stage.config.minFreeBytes = 0
    await reconcile(scene)
    expect(fates(await scene.sessions())).to.deep.equal(['ended stopped'])
  })
})

describe('a share that must opt in', () => {
  let stage: Stage
  before(async () => {
    stage = await startStage({ env: { REPLAY_AUTO_START: 'opt_in', REPLAY_MAX_SESSION_HOURS: '1' } })
  })
  after(() => stage.stop())

  it('is recorded from the minute in which it does, until the minute in which it takes that back', async () => {
    const scene = stage.scene('opt in')
    scene.share()
    await until('the refusal', () => stage.lines.some(({ why }) => why === 'not_opted_in'))
    await reconcile(scene)
    expect(await scene.sessions()).to.deep.equal([])
    stage.simulator.setAttributes(scene.room, 'alice', { 'replay.enabled': 'true', 'replay.quality': '1440p' })
    await reconcile(scene)
    expect((await scene.recording()).quality).to.equal('1440p')
    stage.simulator.setAttributes(scene.room, 'alice', { 'replay.enabled': '' })
    await reconcile(scene)
    await scene.quiet()
    expect(fates(await scene.sessions())).to.deep.equal(['ended opted_out'])
  })

  it('goes on over the longest time while it lives, and is stopped after that when it does not', async () => {
    const scene = stage.scene('very long', { attributes: { 'replay.enabled': 'true' } })
    const { session } = await sharing(scene)
    const old = new Date(Date.now() - 2 * 3_600_000)
    await stage.service.db
      .updateTable('egress_sessions')
      .set({ created_at: old })
      .where('id', '=', session.id)
      .execute()
    await stage.service.schedules.sweep_orphans()
    await scene.recording()
    scene.strike('loseWebhook', ({ event }) => /^(track|participant|egress)/.test(event))
    await settle(scene)
    scene.leave()
    await stage.service.schedules.sweep_orphans()
    await until('the end', async () => (await reconcile(scene)) || (await scene.sessions())[0]?.status === 'ended')
    expect(fates(await scene.sessions())).to.deep.equal(['ended limit'])
  })
})
