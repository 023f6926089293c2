const RATE = 44_100
const BEEP_SECONDS = 0.1
const LEVEL = 12_000

export const AUDIO_RATE = RATE

/** Whether a beep is running then: one that is heard only in part would tell a wrong second. */
export function isInBeep(originMs: number, sample: number): boolean {
  return (originMs / 1000 + sample / RATE) % 1 < BEEP_SECONDS
}

/** Stereo s16le of samples `[from, to)` counted from `originMs`: a beep at each full second, or silence. */
export function beepSamples(originMs: number, from: number, to: number, audible: boolean): Buffer {
  const pcm = Buffer.alloc((to - from) * 4)
  if (!audible) return pcm
  for (let i = from; i < to; i++) {
    const wallSeconds = originMs / 1000 + i / RATE
    const second = Math.floor(wallSeconds)
    const phase = wallSeconds - second
    if (phase >= BEEP_SECONDS) continue
    const sample = Math.round(LEVEL * Math.sin(2 * Math.PI * (600 + 100 * (second % 10)) * phase))
    pcm.writeInt16LE(sample, (i - from) * 4)
    pcm.writeInt16LE(sample, (i - from) * 4 + 2)
  }
  return pcm
}
