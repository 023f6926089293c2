import type { Generated, Insertable, JSONColumnType, Selectable } from 'kysely'
import type { EgressType, Quality } from '../config.ts'

export const SESSION_STATUSES = ['starting', 'active', 'refused', 'stopping', 'ended', 'failed'] as const
export type SessionStatus = (typeof SESSION_STATUSES)[number]

export const ENDED_REASONS = [
  'unshared',
  'left',
  'stopped',
  'opted_out',
  'replaced',
  'lost',
  'failed',
  'limit',
  'disk',
  'egress_ended',
] as const
export type EndedReason = (typeof ENDED_REASONS)[number]

export const CLOCK_SOURCES = ['measured', 'estimated'] as const
export type ClockSource = (typeof CLOCK_SOURCES)[number]

export const CLIP_STATUSES = ['waiting', 'ready', 'failed'] as const
export type ClipStatus = (typeof CLIP_STATUSES)[number]

export const EVENT_TYPES = [
  'session_started',
  'session_active',
  'session_ended',
  'session_purged',
  'clip_waiting',
  'clip_ready',
  'clip_stored',
  'clip_failed',
  'clip_deleted',
] as const
export type EventType = (typeof EVENT_TYPES)[number]

export interface EgressSessionsTable {
  id: string
  room: string
  room_sid: string | null
  user_id: string
  participant_sid: string | null
  username: string | null
  video_track_sid: string | null
  audio_track_sid: string | null
  community_id: string | null
  quality: Quality
  egress_id: string | null
  egress_type: EgressType
  status: SessionStatus
  ended_reason: EndedReason | null
  error: string | null
  clock_origin: Date | null
  clock_source: ClockSource | null
  requested_by: 'webhook' | 'api'
  created_at: Date
  started_at: Date | null
  ended_at: Date | null
  share_ended_at: Date | null
  expires_at: Date | null
  purged_at: Date | null
  node: string | null
  /** How many sessions of this share failed one after the other before this one. */
  attempt: Generated<number>
  /** A start call went out and its answer is not known: an egress may turn up. */
  start_sent_at: Date | null
}

/** What is known of a share. That it began and that it ended are told in any order, and either is kept for good. */
export interface SharesTable {
  track_sid: string
  room: string
  room_sid: string | null
  user_id: string
  participant_sid: string
  published_at: Date
  /** By our own clock. */
  seen_at: Date
  gone_at: Date | null
  gone_reason: 'unshared' | 'left' | null
}

/** When a session's share was really there: egress goes on recording black between two of them. */
export interface ShareSpansTable {
  session_id: string
  track_sid: string
  shared_from: Date
  shared_to: Date | null
}

export interface SegmentsTable {
  session_id: string
  sequence: number
  start_ms: number
  duration_ms: number
  size_bytes: number
  file_name: string
  landed_at: Date
  deleted_at: Date | null
  unreadable: string | null
}

export interface SegmentFramesTable extends Pick<SegmentsTable, 'session_id' | 'sequence'> {
  frame_index: Buffer
}

/** Why a part of the asked-for range is not in the clip. */
export const GAP_REASONS = ['unshared', 'missing', 'unreadable', 'not_yet', 'expired'] as const
export type GapReason = (typeof GAP_REASONS)[number]

/** Instants are ISO strings, as they are stored in `replay_clips.coverage`. */
export interface Coverage {
  requestedFrom: string
  requestedTo: string
  coveredFrom: string
  coveredTo: string
  coveredSeconds: number
  gaps: { from: string; to: string; reason: GapReason }[]
  complete: boolean
  clock: ClockSource
  clockErrorMs: number
}

/** A stretch of one session that a clip shows, in ticks of its media time; a clip is its spans, one after the other. */
export interface ClipSpan {
  sessionId: string
  fromTicks: number
  toTicks: number
}

export interface ReplayClipsTable {
  id: string
  user_id: string
  session_id: string
  community_id: string | null
  title: string | null
  from_at: Date
  to_at: Date
  requested_from: Date
  requested_to: Date
  coverage: JSONColumnType<Coverage>
  spans: JSONColumnType<ClipSpan[]>
  status: ClipStatus
  error: string | null
  size_bytes: number | null
  pressed_at: Date
  /** Hash of the spans: clips with the same one are the same bytes. */
  content_key: string | null
  is_exact: Generated<boolean>
  idempotency_key: string | null
  /** Of what was asked for with the key: the key is good for nothing else. */
  request_hash: string | null
  reserved_bytes: number
  file_id: string | null
  created_at: Date
}

/** The sessions that a waiting clip may still take from; several when a share ended and began again. */
export interface ClipSessionsTable {
  clip_id: string
  session_id: string
}

/** A pin: these segments of a session, the last one included, are not deleted while the clip needs them. */
export interface ClipSegmentsTable extends ClipSessionsTable {
  first_sequence: number
  last_sequence: number
}

export interface FilesTable {
  id: string
  path: string
  size_bytes: number
  sha256: string
  mime_type: string
  created_at: Date
}

export interface UserQuotasTable {
  user_id: string
  used_bytes: Generated<number>
  reserved_bytes: Generated<number>
  limit_bytes: number | null
}

export interface WebhookEventsTable {
  id: string
  event: string
  room: string | null
  room_sid: string | null
  participant_sid: string | null
  track_sid: string | null
  body: JSONColumnType<Record<string, unknown>>
  received_at: Date
  effect: string
}

/** What happened to sessions and clips, written by triggers; ids are in the order of commits. */
export interface EventsTable {
  id: Generated<number>
  type: EventType
  room: string
  user_id: string
  session_id: string
  clip_id: string | null
  created_at: Generated<Date>
  /** When the deliveries to webhooks and the room were enqueued. */
  told_at: Date | null
}

export interface ScheduleRunsTable {
  name: string
  tick: Date
}

/** Who there is, and where they are asked for what lies on their disk. */
export interface InstancesTable {
  node: string
  url: string
  seen_at: Date
}

export interface Schema {
  instances: InstancesTable
  egress_sessions: EgressSessionsTable
  shares: SharesTable
  share_spans: ShareSpansTable
  segments: SegmentsTable
  segment_frames: SegmentFramesTable
  replay_clips: ReplayClipsTable
  clip_sessions: ClipSessionsTable
  clip_segments: ClipSegmentsTable
  files: FilesTable
  user_quotas: UserQuotasTable
  webhook_events: WebhookEventsTable
  events: EventsTable
  schedule_runs: ScheduleRunsTable
}

export type Session = Selectable<EgressSessionsTable>
export type NewSession = Insertable<EgressSessionsTable>
export type ShareRow = Selectable<SharesTable>
export type ShareSpan = Selectable<ShareSpansTable>
export type Segment = Selectable<SegmentsTable>
export type Clip = Selectable<ReplayClipsTable>
export type Event = Selectable<EventsTable>
export type StoredFile = Selectable<FilesTable>
