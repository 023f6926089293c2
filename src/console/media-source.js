// oxlint-disable-next-line import/no-named-as-default -- the package names its default export so too
import Hls from 'hls.js'

/*
 * Puts a playlist into a video element: with hls.js, or by the browser itself where it can
 * and hls.js cannot. Links are good for an hour, so each request is made with the newest.
 */

/**
 * @typedef {object} MediaSource
 * @property {(seconds: number) => number | undefined} wallOf the wall clock, in ms, of an instant of the video
 * @property {(wallMs: number) => number | undefined} secondsOf the other way round
 * @property {() => number | undefined} liveSeconds where live is, a safe distance from the end
 * @property {() => void} retry
 * @property {() => void} destroy
 */

/**
 * @typedef {object} SourceOptions
 * @property {() => string} link the playlist's, as it is now
 * @property {() => void} onRefused the link has expired: a fresh one is needed
 * @property {(problem: 'unsupported' | 'failed' | undefined) => void} onProblem
 * @property {() => void} [onTimes] the wall clock of the video is known, or moved
 * @property {number} [startSeconds] from the start; live without
 * @property {boolean} [isPreview] loads little
 */

/** What is between two tries while the service cannot be reached, and until a fresh link is there. */
const RETRY_MS = 2000
const RENEWED_MS = 400

/** @param {HTMLVideoElement} video @param {SourceOptions} options @returns {MediaSource} */
export function attachSource(video, options) {
  if (Hls.isSupported()) return attachHls(video, options)
  if (video.canPlayType('application/vnd.apple.mpegurl') !== '') return attachNative(video, options)
  options.onProblem('unsupported')
  return { wallOf: none, secondsOf: none, liveSeconds: none, retry: none, destroy: none }
}

const none = () => undefined

/** @param {HTMLVideoElement} video @param {SourceOptions} options @returns {MediaSource} */
function attachHls(video, options) {
  const { isPreview = false, startSeconds } = options
  const hls = new Hls({
    // Fragments are MP4 already: there is nothing for a worker to do.
    enableWorker: false,
    startPosition: startSeconds ?? -1,
    liveSyncDurationCount: 2,
    maxBufferLength: isPreview ? 1 : 20,
    backBufferLength: isPreview ? 4 : 60,
    maxMaxBufferLength: isPreview ? 2 : 60,
    xhrSetup: (xhr, url) => xhr.open('GET', withToken(url, options.link())),
  })
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let retryTimer
  const retry = (afterMs = 0) => {
    clearTimeout(retryTimer)
    retryTimer = setTimeout(() => {
      if (hls.levels.length === 0) hls.loadSource(options.link())
      else hls.startLoad(-1)
    }, afterMs)
  }
  hls.on(Hls.Events.ERROR, (_, { fatal, type, response }) => {
    const isRefused = response?.code === 401
    if (isRefused) options.onRefused()
    if (!fatal) return
    if (type === Hls.ErrorTypes.MEDIA_ERROR) {
      hls.recoverMediaError()
      return
    }
    if (!isRefused) options.onProblem('failed')
    retry(isRefused ? RENEWED_MS : RETRY_MS)
  })
  hls.on(Hls.Events.FRAG_LOADED, () => options.onProblem(undefined))
  hls.on(Hls.Events.LEVEL_UPDATED, () => options.onTimes?.())
  hls.loadSource(options.link())
  hls.attachMedia(video)
  const fragments = () => hls.latestLevelDetails?.fragments ?? []
  return {
    wallOf(seconds) {
      const all = fragments()
      const one = all.findLast(({ start }) => start <= seconds) ?? all[0]
      return one?.programDateTime == null ? undefined : one.programDateTime + (seconds - one.start) * 1000
    },
    secondsOf(wallMs) {
      const all = fragments()
      const one = all.findLast(({ programDateTime }) => (programDateTime ?? Infinity) <= wallMs) ?? all[0]
      return one?.programDateTime == null ? undefined : one.start + (wallMs - one.programDateTime) / 1000
    },
    liveSeconds: () => hls.liveSyncPosition ?? undefined,
    retry,
    destroy() {
      clearTimeout(retryTimer)
      hls.destroy()
    },
  }
}

/** @param {HTMLVideoElement} video @param {SourceOptions} options @returns {MediaSource} */
function attachNative(video, options) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let retryTimer
  const load = () => {
    const at = video.currentTime
    video.src = options.link()
    if (at > 0) video.addEventListener('loadedmetadata', () => (video.currentTime = at), { once: true })
  }
  const onError = () => {
    // It does not say why: an expired link is as likely as anything.
    options.onRefused()
    options.onProblem('failed')
    retryTimer = setTimeout(load, RETRY_MS)
  }
  const onTimes = () => {
    options.onProblem(undefined)
    options.onTimes?.()
  }
  video.addEventListener('error', onError)
  video.addEventListener('loadedmetadata', onTimes)
  load()
  if (options.startSeconds !== undefined) video.currentTime = options.startSeconds
  const startMs = () => {
    const date = /** @type {{ getStartDate?: () => Date }} */ (video).getStartDate?.().getTime()
    return date === undefined || Number.isNaN(date) ? undefined : date
  }
  const map = (/** @type {(startMs: number) => number} */ with_) => {
    const start = startMs()
    return start === undefined ? undefined : with_(start)
  }
  return {
    wallOf: (seconds) => map((start) => start + seconds * 1000),
    secondsOf: (wallMs) => map((start) => (wallMs - start) / 1000),
    liveSeconds: () => (video.seekable.length === 0 ? undefined : video.seekable.end(video.seekable.length - 1) - 4),
    retry: load,
    destroy() {
      clearTimeout(retryTimer)
      video.removeEventListener('error', onError)
      video.removeEventListener('loadedmetadata', onTimes)
      video.removeAttribute('src')
      video.load()
    },
  }
}

/** An address of a playlist's part, with the signature of a newer link. @param {string} url @param {string} link */
export function withToken(url, link) {
  const address = new URL(url)
  const token = new URL(link).searchParams.get('token')
  if (token !== null) address.searchParams.set('token', token)
  return address.href
}
