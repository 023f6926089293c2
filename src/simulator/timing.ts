/** How long a real LiveKit takes, in ms, as measured. Tests scale what they do not want to wait for. */
export type Timing = {
  /** Start call to egress_started. */
  egressStartDelayMs: number
  /** egress_started to the answer of the start call. */
  startAnswerMs: number
  /** egress_started to the worker's joining of the room. */
  joinMs: number
  /** The worker in the room to the first packet, which is media time 0. */
  firstPacketMs: number
  /** First packet to ACTIVE. */
  activeMs: number
  /** First packet to the first frame at the muxer: the error of EXT-X-PROGRAM-DATE-TIME. */
  programDateTimeOffsetMs: number
  /** A segment lands this long, and one segment's duration, after its last frame. */
  landingLagMs: number
  /** Everything on disk to egress_ended. */
  endedMs: number
  /** A share that came back to its picture. */
  switchMs: number
  /** How long an egress looks for its participant or track. */
  sourceWaitMs: number
  /** The participant of an egress that is starting left to ABORTED. */
  startSignalMs: number
  /** A stop call that finds nobody who could answer. */
  stopUnansweredMs: number
  /** A stop call that comes while the egress is starting. */
  stopStartingMs: number
  /** A start call that finds no worker. */
  startUnansweredMs: number
  /** A participant that died to its participant_left. */
  connectionTimeoutMs: number
  /** The last one left to room_finished. */
  roomFinishedMs: number
  /** Cause to webhook. */
  webhookDelayMs: number
  /** Scale of the waits of 1, 2, 4 and 8 s between tries of a webhook. */
  webhookRetryScale: number
}

export const MEASURED_TIMING: Timing = {
  egressStartDelayMs: 300,
  startAnswerMs: 50,
  joinMs: 60,
  firstPacketMs: 240,
  activeMs: 620,
  programDateTimeOffsetMs: 700,
  landingLagMs: 670,
  endedMs: 200,
  switchMs: 400,
  sourceWaitMs: 30_000,
  startSignalMs: 3000,
  stopUnansweredMs: 3000,
  stopStartingMs: 350,
  startUnansweredMs: 22_000,
  connectionTimeoutMs: 20_700,
  roomFinishedMs: 20_000,
  webhookDelayMs: 8,
  webhookRetryScale: 1,
}
