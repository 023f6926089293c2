import { createHash } from 'node:crypto'

/** `<user id hash>/<clip id>.mp4`: nothing that came from outside is in it. */
export function clipPath(clip: { id: string; user_id: string }): string {
  return `${directoryOf(clip.user_id)}/${clip.id}.mp4`
}

/** Beside the clip, under the same name. */
export function posterPath(clip: { id: string; user_id: string }): string {
  return `${directoryOf(clip.user_id)}/${clip.id}.jpg`
}

const directoryOf = (userId: string) => createHash('sha256').update(userId).digest('hex').slice(0, 24)
