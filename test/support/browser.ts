import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { chromium, type Browser, type Page } from 'playwright-core'

/** Debian's; another one by CHROMIUM_PATH. */
const EXECUTABLE = process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium'

/** A real browser, or undefined, and a line that says so, where none is installed. */
export async function openBrowser(): Promise<Browser | undefined> {
  if (!existsSync(EXECUTABLE)) {
    process.stdout.write(`    browser tests are skipped: there is no ${EXECUTABLE} (set CHROMIUM_PATH)\n`)
    return undefined
  }
  return chromium.launch({
    executablePath: EXECUTABLE,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'],
  })
}

/** A page with a player, served as if from the service itself, so that it may read what it shows. */
export async function openPlayer(browser: Browser, url: string, source: string): Promise<Page> {
  const page = await browser.newPage()
  const hls = await readFile(createRequire(import.meta.url).resolve('hls.js/dist/hls.min.js'), 'utf8')
  await page.route(`${url}/player`, (route) =>
    route.fulfill({ contentType: 'text/html', body: '<video muted preload="auto" width="1280" height="720"></video>' }),
  )
  await page.goto(`${url}/player`)
  await page.addScriptTag({ content: hls })
  await page.addScriptTag({ content: PLAYER })
  await page.evaluate(`load(${JSON.stringify(source)})`)
  return page
}

/** The wall clock in the picture that a player shows, in ms; null when there is none to be read. */
export async function shownClock(page: Page): Promise<number | null> {
  return page.evaluate('readClock()')
}

export async function seekTo(page: Page, seconds: number): Promise<void> {
  await page.evaluate(`seek(${seconds})`)
}

export async function playToEnd(page: Page): Promise<number> {
  return page.evaluate('playToEnd()')
}

/**
 * Plays the first seconds, and hears at which of them a beep begins: by the samples that the player gives out, and what
 * it says of its own time beside them.
 */
export async function hearBeeps(page: Page, seconds: number): Promise<number[]> {
  return page.evaluate(`hearBeeps(${seconds})`)
}

/** The same of any video on any page. */
export async function clockOf(page: Page, selector: string): Promise<number | null> {
  return page.evaluate(`(${READ_CLOCK})(document.querySelector(${JSON.stringify(selector)}))`)
}

/** The cells of `recordings/README.md`: three rows of 48, of 24 x 32 pixels, from (64, 16) on, in 1280 x 720. */
const READ_CLOCK = `(video) => {
  if (!video || video.readyState < 2) return null
  const canvas = document.createElement('canvas')
  canvas.width = 1280
  canvas.height = 720
  const context = canvas.getContext('2d')
  context.drawImage(video, 0, 0, 1280, 720)
  const row = (y) => {
    let bits = ''
    for (let i = 0; i < 48; i += 1) bits += context.getImageData(64 + i * 24 + 12, y, 1, 1).data[1] > 127 ? '1' : '0'
    return bits
  }
  const time = row(32)
  const complement = row(64)
  const isClock = [...time].every((bit, i) => bit !== complement[i])
  return isClock ? parseInt(time, 2) : null
}`

const PLAYER = `
const video = document.querySelector('video')
const problems = []
async function load(source) {
  if (source.includes('.m3u8')) {
    const hls = (window.hls = new Hls())
    hls.on(Hls.Events.ERROR, (_, data) => data.fatal && problems.push(data.details))
    hls.loadSource(source)
    hls.attachMedia(video)
  } else video.src = source
  await new Promise((resolve, reject) => {
    video.onerror = () => reject(new Error(video.error.message))
    if (video.readyState >= 3) resolve()
    else video.oncanplay = resolve
  })
  await settled()
}
// A frame that was decoded is on the screen two paints later.
async function settled() {
  if (video.seeking) await new Promise((resolve) => (video.onseeked = resolve))
  for (let n = 0; n < 3; n += 1) await new Promise((resolve) => requestAnimationFrame(resolve))
}
async function seek(seconds) {
  video.currentTime = seconds
  await settled()
}
async function playToEnd() {
  video.playbackRate = 4
  await video.play()
  await new Promise((resolve) => (video.onended = resolve))
  if (problems.length) throw new Error(problems.join())
  return video.currentTime
}
const TAP = \`registerProcessor('tap', class extends AudioWorkletProcessor {
  process([[samples]]) {
    if (samples) this.port.postMessage({ at: currentTime, samples: samples.slice() })
    return true
  }
})\`
async function hearBeeps(seconds) {
  const context = new AudioContext()
  await context.audioWorklet.addModule(URL.createObjectURL(new Blob([TAP], { type: 'text/javascript' })))
  const tap = new AudioWorkletNode(context, 'tap')
  const blocks = []
  tap.port.onmessage = ({ data }) => blocks.push(data)
  context.createMediaElementSource(video).connect(tap).connect(context.destination)
  video.muted = false
  await context.resume()
  await video.play()
  const offsets = []
  while (video.currentTime < seconds) {
    await new Promise((resolve) => setTimeout(resolve))
    offsets.push(video.currentTime - context.currentTime)
  }
  video.pause()
  const offset = offsets.sort((a, b) => a - b)[offsets.length >> 1]
  const beeps = []
  let quiet = Infinity
  for (const { at, samples } of blocks)
    for (const [i, sample] of samples.entries()) {
      const isLoud = Math.abs(sample) > 0.03
      if (isLoud && quiet > context.sampleRate / 10) beeps.push(offset + at + i / context.sampleRate)
      quiet = isLoud ? 0 : quiet + 1
    }
  await context.close()
  return beeps
}
const readClock = () => (${READ_CLOCK})(video)
`
