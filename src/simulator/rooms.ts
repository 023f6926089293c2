import {
  DisconnectReason,
  ParticipantInfo,
  ParticipantInfo_Kind,
  Room,
  TrackSource,
  WebhookEvent,
  type TrackInfo,
} from '@livekit/protocol'
import type { SimulatorClock } from './clock.ts'
import { newId } from './random.ts'
import { leaving, newParticipant, newRoom, newShareAudioTrack, newShareTrack, type JoinOptions } from './room-events.ts'

/** A published track, and how its picture is to be drawn. */
export type SharedTrack = { info: TrackInfo; width: number; height: number; fps: number; sourceId: number }
export type ShareOptions = { width?: number; height?: number; fps?: number }
export type Member = { info: ParticipantInfo; tracks: Map<string, SharedTrack> }
export type RoomState = { room: Room; members: Map<string, Member>; cancelFinish: () => void }
export type RoomChange = { roomName: string; identity: string; left: boolean }

export type Rooms = ReturnType<typeof createRooms>

export type RoomsDeps = {
  clock: SimulatorClock
  send: (event: WebhookEvent) => void
  /** LiveKit's departure timeout, 20 s. */
  roomFinishedMs: number
}

export const DEFAULT_SHARE = { width: 640, height: 360, fps: 15 }

/** Who is where and shares what. Every change sends the webhook a LiveKit would send, then tells the egresses. */
export function createRooms(deps: RoomsDeps) {
  const rooms = new Map<string, RoomState>()
  const watchers = new Set<(change: RoomChange) => void>()
  const changed = (change: RoomChange) => {
    for (const watcher of watchers) watcher(change)
  }
  let sources = 0

  function open(name: string): RoomState {
    const known = rooms.get(name)
    if (known) return known
    const state = { room: newRoom(name, deps.clock.now()), members: new Map<string, Member>(), cancelFinish: () => {} }
    rooms.set(name, state)
    deps.send(event('room_started', { room: fullRoom(state) }))
    return state
  }

  function join(roomName: string, options: JoinOptions): ParticipantInfo {
    const state = open(roomName)
    const room = fullRoom(state)
    const info = newParticipant(options, deps.clock.now())
    state.members.set(info.identity, { info, tracks: new Map() })
    if (info.kind !== ParticipantInfo_Kind.EGRESS) state.cancelFinish()
    room.activeRecording = hasEgress(state)
    deps.send(event('participant_joined', { room, participant: info.clone() }))
    changed({ roomName, identity: info.identity, left: false })
    return info
  }

  function publish(roomName: string, identity: string, share: Omit<SharedTrack, 'sourceId'>): { trackSid: string } {
    const { state, member } = find(roomName, identity)
    member.tracks.set(share.info.sid, { ...share, sourceId: (sources++ % 255) + 1 })
    member.info.version += member.info.isPublisher ? 1 : 2
    member.info.isPublisher = true
    sendTrack('track_published', state, member, share.info)
    changed({ roomName, identity, left: false })
    return { trackSid: share.info.sid }
  }

  function unpublish(roomName: string, identity: string, trackSid: string): void {
    const { state, member } = find(roomName, identity)
    const track = member.tracks.get(trackSid)
    if (!track) throw new Error(`${identity} has no track ${trackSid}`)
    member.tracks.delete(trackSid)
    member.info.version += 1
    sendTrack('track_unpublished', state, member, track.info)
    changed({ roomName, identity, left: false })
  }

  function leave(roomName: string, identity: string, reason = DisconnectReason.CLIENT_INITIATED, forGood = true): void {
    const { state, member } = find(roomName, identity)
    for (const sid of Array.from(member.tracks.keys()).toReversed()) unpublish(roomName, identity, sid)
    state.members.delete(identity)
    deps.send(event('participant_left', { room: fullRoom(state), participant: leaving(member.info, reason) }))
    if (!forGood) return
    changed({ roomName, identity, left: true })
    if (people(state).length > 0 || member.info.kind === ParticipantInfo_Kind.EGRESS) return
    state.cancelFinish = deps.clock.after(deps.roomFinishedMs, () => finish(roomName, state))
  }

  function finish(roomName: string, state: RoomState): void {
    for (const identity of state.members.keys()) leave(roomName, identity, DisconnectReason.ROOM_CLOSED)
    rooms.delete(roomName)
    deps.send(event('room_finished', { room: fullRoom(state) }))
  }

  /** The same identity comes again before it is gone: a new participant with new tracks of the same kinds. */
  function rejoin(roomName: string, identity: string) {
    const { member } = find(roomName, identity)
    const { name, attributes } = member.info
    const tracks = [...member.tracks.values()]
    leave(roomName, identity, DisconnectReason.DUPLICATE_IDENTITY, false)
    const participant = join(roomName, { identity, name, attributes })
    const trackSids = tracks.map((track) => {
      const info = isShare(track) ? newShareTrack(track, deps.clock.now()) : newShareAudioTrack(deps.clock.now())
      return publish(roomName, identity, { ...track, info }).trackSid
    })
    return { participantSid: participant.sid, trackSids }
  }

  function find(roomName: string, identity: string): { state: RoomState; member: Member } {
    const state = rooms.get(roomName)
    const member = state?.members.get(identity)
    if (!state || !member) throw new Error(`${identity} is not in room ${roomName}`)
    return { state, member }
  }

  function sendTrack(name: string, { room }: RoomState, { info }: Member, track: TrackInfo): void {
    deps.send(
      event(name, {
        room: new Room({ sid: room.sid, name: room.name }),
        participant: new ParticipantInfo({ sid: info.sid, identity: info.identity }),
        track: track.clone(),
      }),
    )
  }

  function event(name: string, fields: Pick<Partial<WebhookEvent>, 'room' | 'participant' | 'track'>): WebhookEvent {
    return webhookEvent(name, fields, deps.clock.now())
  }

  return {
    join,
    unpublish,
    leave,
    rejoin,
    find: (roomName: string) => rooms.get(roomName),
    member: (roomName: string, identity: string) => rooms.get(roomName)?.members.get(identity),
    list: () => [...rooms.values()],
    watch: (watcher: (change: RoomChange) => void) => watchers.add(watcher),
    publishShare: (roomName: string, identity: string, options: ShareOptions = {}) => {
      const share = { ...DEFAULT_SHARE, ...options }
      return publish(roomName, identity, { ...share, info: newShareTrack(share, deps.clock.now()) })
    },
    publishShareAudio: (roomName: string, identity: string) =>
      publish(roomName, identity, { ...DEFAULT_SHARE, info: newShareAudioTrack(deps.clock.now()) }),
    setAttributes: (roomName: string, identity: string, attributes: Record<string, string>) => {
      const { info } = find(roomName, identity).member
      Object.assign(info.attributes, attributes)
      info.version += 1
    },
  }
}

export function webhookEvent(name: string, fields: Partial<WebhookEvent>, nowMs: number): WebhookEvent {
  return new WebhookEvent({ event: name, ...fields, id: newId('EV_'), createdAt: BigInt(Math.floor(nowMs / 1000)) })
}

export function isShare({ info }: SharedTrack): boolean {
  return info.source === TrackSource.SCREEN_SHARE
}

/** A participant as the room service shows it: with its tracks. */
export function presentMember({ info, tracks }: Member): ParticipantInfo {
  const shown = info.clone()
  shown.tracks = [...tracks.values()].map((track) => track.info)
  return shown
}

/** The room with its counts, which leave out egress workers: they are hidden. */
export function fullRoom(state: RoomState): Room {
  const room = state.room.clone()
  room.numParticipants = people(state).length
  room.numPublishers = people(state).filter(({ tracks }) => tracks.size > 0).length
  room.activeRecording = hasEgress(state)
  return room
}

function people({ members }: RoomState): Member[] {
  return [...members.values()].filter(({ info }) => info.kind !== ParticipantInfo_Kind.EGRESS)
}

function hasEgress({ members }: RoomState): boolean {
  return [...members.values()].some(({ info }) => info.kind === ParticipantInfo_Kind.EGRESS)
}
