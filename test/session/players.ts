import type { Simulator } from '../../src/simulator/simulator.ts'

/** Somebody in a room, and what they really share: what LiveKit knows, whatever it told. */
export interface Player {
  room: string
  identity: string
  isPresent: boolean
  hasConsent: boolean
  tracks: string[]
  /** Two shares came within one millisecond: either counts as the later. */
  isTied: boolean
}

export function createPlayer(room: string, identity: string): Player {
  return { room, identity, isPresent: false, hasConsent: true, tracks: [], isTied: false }
}

export const MOVES = [
  'share',
  'share',
  'unshare',
  'off and on',
  'leave',
  'leave',
  'rejoin',
  'share another',
  'share audio',
  'opt out',
  'opt in',
] as const

export type Move = (typeof MOVES)[number]

/** Makes the move, or nothing if it is not to be made now. */
export function move(simulator: Simulator, player: Player, what: Move): void {
  const { room, identity } = player
  const join = () => {
    if (player.isPresent) return
    simulator.join(room, { identity, attributes: { 'replay.enabled': String(player.hasConsent) } })
    player.isPresent = true
  }
  const share = () => {
    join()
    player.tracks.push(simulator.publishShare(room, identity).trackSid)
    player.isTied = false
  }
  const unshare = () => {
    const track = player.tracks.pop()
    if (track !== undefined) simulator.unpublish(room, identity, track)
  }
  const consent = (hasConsent: boolean) => {
    player.hasConsent = hasConsent
    if (player.isPresent) simulator.setAttributes(room, identity, { 'replay.enabled': String(hasConsent) })
  }
  if (what === 'share' && player.tracks.length === 0) share()
  else if (what === 'share another' && player.tracks.length === 1) share()
  else if (what === 'unshare') unshare()
  else if (what === 'off and on' && player.tracks.length === 1) {
    unshare()
    share()
  } else if (what === 'leave' && player.isPresent) {
    simulator.leave(room, identity)
    Object.assign(player, { isPresent: false, tracks: [] })
  } else if (what === 'rejoin' && player.isPresent) {
    const before = player.tracks.length
    const { trackSids } = simulator.rejoin(room, identity)
    player.tracks = trackSids.filter((sid) => sid.startsWith('TR_VS')).slice(0, before)
    player.isTied = true
  } else if (what === 'share audio' && player.tracks.length > 0) simulator.publishShareAudio(room, identity)
  else if (what === 'opt out') consent(false)
  else if (what === 'opt in') consent(true)
}

export const FAULTS = [
  'lose webhooks',
  'double webhooks',
  'late webhooks',
  'reorder webhooks',
  'no worker',
  'lose start answers',
  'slow start answers',
  'egress API away',
  'room service away',
  'disk full',
  'silent workers',
] as const

export type FaultName = (typeof FAULTS)[number]

/** Switches a fault on, or off again. */
export function setFault({ faults }: Simulator, name: FaultName, isOn: boolean): void {
  switch (name) {
    case 'lose webhooks':
      faults.loseWebhook = isOn ? 0.4 : 0
      break
    case 'double webhooks':
      faults.doubleWebhook = isOn ? 0.5 : 0
      break
    case 'late webhooks':
      Object.assign(faults, { lateWebhook: isOn ? 0.4 : 0, lateByMs: 25_000 })
      break
    case 'reorder webhooks':
      faults.reorderWebhook = isOn ? 0.5 : 0
      break
    case 'no worker':
      faults.startUnavailable = isOn
      break
    case 'lose start answers':
      faults.loseStartAnswer = isOn
      break
    case 'slow start answers':
      faults.startAnswerDelayMs = isOn ? 20_000 : 0
      break
    case 'egress API away':
      faults.egressApiUnavailable = isOn
      break
    case 'room service away':
      faults.roomServiceUnavailable = isOn
      break
    case 'disk full':
      faults.diskFull = isOn
      break
    case 'silent workers':
      faults.silentWorker = isOn
  }
}
