import { QUALITIES, type AutoStartMode, type Quality } from '../config.ts'

/** The participant attributes that steer recording. */
export const ATTRIBUTES = {
  enabled: 'replay.enabled',
  quality: 'replay.quality',
  community: 'replay.community',
} as const

export type AutoStart = 'record' | 'opted_out' | 'not_opted_in' | 'no_person'

/**
 * Whether somebody's share is recorded. `replay.enabled` = `false` is a no in every
 * mode, asked for by hand or not; in `opt_in` silence is one too.
 */
export function decideAutoStart(
  mode: AutoStartMode,
  participant: { isPerson: boolean; attributes: Record<string, string> },
  requestedBy: 'webhook' | 'api',
): AutoStart {
  const enabled = participant.attributes[ATTRIBUTES.enabled]
  if (!participant.isPerson) return 'no_person'
  if (enabled === 'false') return 'opted_out'
  if (requestedBy === 'webhook' && mode === 'opt_in' && enabled !== 'true') return 'not_opted_in'
  return 'record'
}

/** The participant's own `replay.quality` if it is one of ours, else what was set. */
export function chooseQuality(attributes: Record<string, string>, configured: Quality): Quality {
  const wanted = attributes[ATTRIBUTES.quality]
  return QUALITIES.find((quality) => quality === wanted) ?? configured
}
