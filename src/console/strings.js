import { bytes, clockTime, day, length, minuteTime } from './format.js'

/*
 * Every word that the page says.
 */

/** @type {Record<string, string>} */
const CODES = {
  quota_exceeded: 'Your quota is full. Delete a clip or two in the library, then keep this one.',
  storage_full: 'The disk of the service is full. Whoever runs it has to make room.',
  range_not_recorded: 'Nothing of that time was recorded, so there is no clip of it.',
  too_many_requests: 'Those were many clips within a minute. Wait a moment and press again.',
  not_found: 'That is not there (any more).',
  forbidden: 'That belongs to somebody else.',
  other_room: 'Your token is for another room.',
  database_unavailable: 'The service cannot reach its database. Try again in a moment.',
  node_unavailable: 'The machine that has these files does not answer. Try again in a moment.',
}

/** @type {Record<string, string>} */
const REFUSALS = {
  token_expired: 'This token has expired.',
  token_not_yet_valid: 'This token is not valid yet. Is the clock of whoever made it right?',
  token_unknown_key: 'This token is of another LiveKit: its API key is not in use here.',
  token_signature: 'This token was not signed with the secret of this LiveKit.',
  missing_grant: 'This token lets nobody into a room: it needs roomJoin, roomAdmin or roomRecord.',
}

/** @type {Record<string, string>} */
const ENDED = {
  unshared: 'Sharing ended',
  left: 'They left the room',
  stopped: 'Stopped by hand',
  opted_out: 'They opted out',
  replaced: 'Went on in a new recording',
  lost: 'The recorder went silent',
  failed: 'The recorder failed',
  egress_ended: 'The recorder was ended',
  limit: 'A limit was reached',
  disk: 'The disk is full',
}

export const strings = {
  name: 'Replay',
  skip: 'Skip to the content',
  dismiss: 'Dismiss',
  nav: { label: 'Views', live: 'Live', library: 'Library', signOut: 'Sign out' },
  connection: {
    connecting: 'Connecting…',
    live: 'Live',
    offline: 'Offline',
    refused: 'Signed out',
    offlineBanner: 'The service cannot be reached. What you see may be old; this page goes on trying by itself.',
  },
  signIn: {
    heading: 'Keep the moment that just happened',
    lead: 'Replay holds the last minutes of every screen share. Sign in with the LiveKit token of your room.',
    label: 'LiveKit access token',
    hint: 'It stays in this tab, and is forgotten when you close it.',
    button: 'Sign in',
    malformed: 'This is no LiveKit access token: three parts with dots between them.',
    /** @param {string | undefined} code */
    refused: (code) => REFUSALS[code ?? ''] ?? 'The service does not take this token.',
    again: 'Get a fresh one where you got this one (reload the meeting, or ask its host) and paste it here.',
    tryDemo: 'No token at hand? npm run demo prints links that sign you in.',
  },
  rooms: {
    heading: 'Live shares',
    /** @param {string} room */
    room: (room) => `Room ${room}`,
    emptyTitle: 'Nobody is sharing a screen',
    empty: 'As soon as somebody in your room shares, it shows up here by itself, and its last minutes are kept.',
    failedTitle: 'The shares could not be loaded',
    retry: 'Try again',
    you: 'you',
    noPicture: 'No picture yet',
  },
  health: {
    starting: 'Starting',
    active: 'Recording',
    refused: 'Not recorded',
    stopping: 'Ending',
    ended: 'Ended',
    failed: 'Failed',
    nothingYet: 'Waiting for the first picture',
    /** @param {number} ms */
    kept: (ms) => `${length(ms)} kept`,
    good: 'Without a gap',
    /** @param {number} count @param {number} ms */
    gaps: (count, ms) => `${count === 1 ? '1 gap' : `${count} gaps`}, ${length(ms)} missing`,
    /** @param {number} ms */
    late: (ms) => `Nothing came for ${length(ms)}`,
    /** @param {string | null} reason */
    ended_: (reason) => ENDED[reason ?? ''] ?? 'Ended',
    /** @param {number} ms */
    until: (ms) => `kept until ${minuteTime(ms)}`,
    /** @param {number} ms */
    since: (ms) => `since ${minuteTime(ms)}`,
    /** @param {string} from @param {string} to */
    bar: (from, to) => `Kept from ${from} to ${to}`,
  },
  buffer: {
    back: 'All shares',
    gone: 'This buffer is gone',
    goneText: 'Its share ended a while ago. Clips that were kept of it are in the library.',
    keepHeading: 'Keep a moment',
    presets: 'The last …',
    /** @param {number} seconds */
    preset: (seconds) => (seconds < 60 ? `${seconds} s` : `${seconds / 60} min`),
    markIn: 'Mark in',
    markOut: 'Mark out',
    toNow: 'now',
    toEnd: 'the end',
    title: 'Title',
    titleHint: 'optional',
    /** @param {number} ms */
    keep: (ms) => `Keep ${length(ms)}`,
    keeping: 'Keeping…',
    /** @param {number} ms */
    missing: (ms) => `${length(ms)} of it is not there and will be left out.`,
    nothing: 'Nothing of it is there.',
    /** @param {string} who */
    notYours: (who) => `You can watch. Only ${who} and who moderates this room can keep clips of it.`,
    /** @param {string} name */
    kept: (name) => `Kept: ${name}`,
    watch: 'Watch',
    clips: 'Kept of this share',
    noClips: 'Nothing yet. A clip shows up here the moment you press.',
    keys: 'Keys',
    keyList: /** @type {[string, string][]} */ ([
      ['Space, K', 'play, pause'],
      ['← →', '1 second, with Shift 5'],
      ['J, L', '10 seconds'],
      [', .', 'one picture'],
      ['I, O', 'mark in, mark out'],
      ['Home, End', 'oldest, live'],
      ['Enter', 'keep it'],
    ]),
  },
  player: {
    /** @param {string} who */
    label: (who) => `Share of ${who}`,
    play: 'Play',
    pause: 'Pause',
    mute: 'Mute',
    unmute: 'Unmute',
    fullscreen: 'Full screen',
    live: 'Live',
    goLive: 'Go to live',
    /** @param {number} ms */
    behind: (ms) => `${length(ms)} behind`,
    position: 'Position',
    loading: 'Loading',
    failed: 'It cannot be played at the moment.',
    retry: 'Try again',
    unsupported: 'This browser cannot play it.',
    /** @param {string} at */
    notRecorded: (at) => `${at} · not recorded`,
    timeline: 'Time line',
  },
  clip: {
    gone: 'This clip is not here',
    goneText: 'It was deleted, or it belongs to somebody else.',
    back: 'Library',
    complete: 'Complete',
    /** @param {number} ms */
    incomplete: (ms) => `${length(ms)} missing`,
    making: 'Landing…',
    makingText: 'The last moment is still on its way to the disk. It plays already, and grows.',
    failed: 'Failed',
    completeText: 'Everything that was asked for is in it.',
    reasons: {
      unshared: 'nobody shared',
      missing: 'not recorded',
      unreadable: 'could not be read',
      not_yet: 'had not landed in time',
      expired: 'older than what is kept',
    },
    /** @param {number} from @param {number} to @param {string} reason */
    gap: (from, to, reason) => `${clockTime(from)} to ${clockTime(to)}: ${reason}`,
    coverage: 'Coverage',
    rename: 'Rename',
    save: 'Save',
    cancel: 'Cancel',
    titleLabel: 'Title',
    share: 'Copy link',
    copied: 'Link copied. It works for an hour, for anyone who has it.',
    copyByHand: 'Copy this link:',
    download: 'Download',
    remove: 'Delete',
    undo: 'Undo',
    /** @param {string} name */
    deleted: (name) => `“${name}” will be deleted in a few seconds, or when you leave this page.`,
    openShare: 'Open the share',
    facts: {
      when: 'When',
      room: 'Room',
      length: 'Length',
      size: 'Size',
      exact: 'Exact to',
      stored: 'At rest',
      storing: 'being written',
    },
    /** @param {number} ms */
    exact: (ms) => `${Math.round(ms)} ms`,
  },
  library: {
    heading: 'Library',
    search: 'Search titles',
    whose: 'Whose clips (identity)',
    /** @param {number} count */
    count: (count) => (count === 1 ? '1 clip' : `${count} clips`),
    emptyTitle: 'No clips yet',
    empty: 'Open a live share and press Keep: what you keep is here, for good.',
    nothingTitle: 'Nothing found',
    /** @param {string} title */
    nothing: (title) => `No title has “${title}” in it.`,
    whoseTitle: 'Whose clips?',
    whoseText: 'A backend token is nobody’s own: name a user above.',
    failedTitle: 'The library could not be loaded',
    more: 'Show more',
    /** @param {number} used @param {number} limit */
    quota: (used, limit) => `${bytes(used)} of ${bytes(limit)}`,
    quotaLabel: 'Space used',
  },
  errors: {
    offline: 'The service was not reached. Nothing was changed; try again.',
    unknown: 'Something went wrong on this page.',
    /** @param {string} detail */
    other: (detail) => `That did not work: ${detail}.`,
    codes: CODES,
  },
}

/** Who shares. @param {{ username: string | null, userId: string }} session */
export const whoOf = ({ username, userId }) => (username === null || username === '' ? userId : username)

/** A clip's title, or when it was. @param {import('./api-types.ts').Clip} clip */
export function clipName({ title, from }) {
  const at = Date.parse(from)
  return title ?? `${day(at)}, ${clockTime(at)}`
}
