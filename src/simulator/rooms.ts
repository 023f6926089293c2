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

/** Who is where and shares what. Every change sends the webhook a LiveKit would send, then tells the egresses. */
export type Rooms = {
  deps: RoomsDeps
  byName: Map<string, RoomState>
  watchers: Set<(change: RoomChange) => void>
  /** Source ids given so far: each track's picture has its own, 1 to 255. */
  sources: number
}

export type RoomsDeps = {
  clock: SimulatorClock
  send: (event: WebhookEvent) => void
  /** LiveKit's departure timeout, 20 s. */
  roomFinishedMs: number
}

export const DEFAULT_SHARE = { width: 640, height: 360, fps: 15 }

export function createRooms(deps: RoomsDeps): Rooms {
  return { deps, byName: new Map(), watchers: new Set(), sources: 0 }
}

export function joinRoom(rooms: Rooms, roomName: string, options: JoinOptions): ParticipantInfo {
  const state = rooms.byName.get(roomName) ?? openRoom(rooms, roomName)
  const room = fullRoom(state)
  const info = newParticipant(options, rooms.deps.clock.now())
  state.members.set(info.identity, { info, tracks: new Map() })
  if (info.kind !== ParticipantInfo_Kind.EGRESS) state.cancelFinish()
  room.activeRecording = hasEgress(state)
  send(rooms, 'participant_joined', { room, participant: info.clone() })
  changed(rooms, { roomName, identity: info.identity, left: false })
  return info
}

/** A room that nobody is in yet. */
export function openRoom(rooms: Rooms, name: string): RoomState {
  const state = {
    room: newRoom(name, rooms.deps.clock.now()),
    members: new Map<string, Member>(),
    cancelFinish: () => {},
  }
  rooms.byName.set(name, state)
  send(rooms, 'room_started', { room: fullRoom(state) })
  return state
}

export function publishShare(rooms: Rooms, roomName: string, identity: string, options: ShareOptions = {}) {
  const share = { ...DEFAULT_SHARE, ...options }
  return publish(rooms, roomName, identity, { ...share, info: newShareTrack(share, rooms.deps.clock.now()) })
}

export function publishShareAudio(rooms: Rooms, roomName: string, identity: string) {
  return publish(rooms, roomName, identity, { ...DEFAULT_SHARE, info: newShareAudioTrack(rooms.deps.clock.now()) })
}

function publish(rooms: Rooms, roomName: string, identity: string, share: Omit<SharedTrack, 'sourceId'>) {
  const { state, member } = present(rooms, roomName, identity)
  member.tracks.set(share.info.sid, { ...share, sourceId: (rooms.sources++ % 255) + 1 })
  member.info.version += member.info.isPublisher ? 1 : 2
  member.info.isPublisher = true
  sendTrack(rooms, 'track_published', state, member, share.info)
  changed(rooms, { roomName, identity, left: false })
  return { trackSid: share.info.sid }
}

export function unpublish(rooms: Rooms, roomName: string, identity: string, trackSid: string): void {
  const { state, member } = present(rooms, roomName, identity)
  const track = member.tracks.get(trackSid)
  if (!track) throw new Error(`${identity} has no track ${trackSid}`)
  member.tracks.delete(trackSid)
  member.info.version += 1
  sendTrack(rooms, 'track_unpublished', state, member, track.info)
  changed(rooms, { roomName, identity, left: false })
}

export function leaveRoom(
  rooms: Rooms,
  roomName: string,
  identity: string,
  reason = DisconnectReason.CLIENT_INITIATED,
): void {
  const { state, member } = removeMember(rooms, roomName, identity, reason)
  changed(rooms, { roomName, identity, left: true })
  if (people(state).length > 0 || member.info.kind === ParticipantInfo_Kind.EGRESS) return
  state.cancelFinish = rooms.deps.clock.after(rooms.deps.roomFinishedMs, () => finishRoom(rooms, roomName, state))
}

function removeMember(rooms: Rooms, roomName: string, identity: string, reason: DisconnectReason) {
  const found = present(rooms, roomName, identity)
  const { state, member } = found
  for (const sid of Array.from(member.tracks.keys()).toReversed()) unpublish(rooms, roomName, identity, sid)
  state.members.delete(identity)
  send(rooms, 'participant_left', { room: fullRoom(state), participant: leaving(member.info, reason) })
  return found
}

function finishRoom(rooms: Rooms, roomName: string, state: RoomState): void {
  for (const identity of state.members.keys()) leaveRoom(rooms, roomName, identity, DisconnectReason.ROOM_CLOSED)
  rooms.byName.delete(roomName)
  send(rooms, 'room_finished', { room: fullRoom(state) })
}

/** False if there is no such room. */
export function closeRoom(rooms: Rooms, roomName: string): boolean {
  const state = rooms.byName.get(roomName)
  state?.cancelFinish()
  if (state) finishRoom(rooms, roomName, state)
  return state !== undefined
}

/**
 * The same identity comes again before it is gone: a new participant with new tracks of the same kinds. Egresses are not
 * told that anybody left, for they survive this.
 */
export function rejoinRoom(rooms: Rooms, roomName: string, identity: string) {
  const { name, attributes } = present(rooms, roomName, identity).member.info
  const tracks = [...present(rooms, roomName, identity).member.tracks.values()]
  removeMember(rooms, roomName, identity, DisconnectReason.DUPLICATE_IDENTITY)
  const participant = joinRoom(rooms, roomName, { identity, name, attributes })
  const now = rooms.deps.clock.now()
  const trackSids = tracks.map((track) => {
    const info = isShare(track) ? newShareTrack(track, now) : newShareAudioTrack(now)
    return publish(rooms, roomName, identity, { ...track, info }).trackSid
  })
  return { participantSid: participant.sid, trackSids }
}

/** Sends no webhook: LiveKit has none for it. */
export function setAttributes(
  rooms: Rooms,
  roomName: string,
  identity: string,
  attributes: Record<string, string>,
): void {
  const { info } = present(rooms, roomName, identity).member
  Object.assign(info.attributes, attributes)
  info.version += 1
}

export function findMember(rooms: Rooms, roomName: string, identity: string): Member | undefined {
  return rooms.byName.get(roomName)?.members.get(identity)
}

function present(rooms: Rooms, roomName: string, identity: string): { state: RoomState; member: Member } {
  const state = rooms.byName.get(roomName)
  const member = state?.members.get(identity)
  if (!state || !member) throw new Error(`${identity} is not in room ${roomName}`)
  return { state, member }
}

function changed(rooms: Rooms, change: RoomChange): void {
  for (const watcher of rooms.watchers) watcher(change)
}

/** Track events name room and participant, and no more. */
function sendTrack(rooms: Rooms, name: string, { room }: RoomState, { info }: Member, track: TrackInfo): void {
  send(rooms, name, {
    room: new Room({ sid: room.sid, name: room.name }),
    participant: new ParticipantInfo({ sid: info.sid, identity: info.identity }),
    track: track.clone(),
  })
}

function send({ deps }: Rooms, name: string, fields: Partial<WebhookEvent>): void {
  deps.send(webhookEvent(name, fields, deps.clock.now()))
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
