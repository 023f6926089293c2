/*
 * For each invariant of the README deliberate breaks, and the tests that must see them.
 * A break is a piece of a source file, which must be there once, and what stands there
 * instead.
 */

export interface Break {
  /** Its number in the README. */
  invariant: number
  what: string
  file: string
  search: string
  replace: string
  /** Test files, and which of their tests if not all. */
  tests: string[]
  grep?: string
}

export const BREAKS: Break[] = [
  {
    invariant: 1,
    what: 'a webhook that comes twice acts twice',
    file: 'src/webhook/receive-webhook.ts',
    search: "if (isNew !== true) return 'duplicate'",
    replace: 'void isNew',
    tests: ['test/webhook/receive-webhook.test.ts'],
  },
  {
    invariant: 1,
    what: 'a webhook is answered before its effect is committed',
    file: 'src/http/webhook.routes.ts',
    search: 'const { event, effect } = await receiveWebhook(',
    replace: "const { event, effect } = { event: '', effect: 'taken' }\n    void receiveWebhook(",
    tests: ['test/webhook/receive-webhook.test.ts'],
  },
  {
    invariant: 1,
    what: 'reconcile looks at no share',
    file: 'src/session/reconcile-shares.ts',
    search: 'if (isAsKnown(deps, participant, session, living)) continue',
    replace: 'if (users.size >= 0) continue',
    tests: ['test/session/outages.test.ts'],
    grep: 'what happened while no instance ran',
  },
  {
    invariant: 2,
    what: 'an egress of no session runs on',
    file: 'src/session/reconcile-egresses.ts',
    search: 'if (!session) return true',
    replace: 'if (!session) return false',
    tests: ['test/session/faults.test.ts', 'test/session/outages.test.ts'],
    grep: 'under our path',
  },
  {
    invariant: 2,
    what: 'a start whose answer was lost is asked for again beside the first',
    file: 'src/session/start-egress.ts',
    search:
      "if (running) return bind(deps, claim.session, running, 'egress adopted')\n  if (claim.session.start_sent_at) return giveUp(deps, claim.session)",
    replace: '',
    tests: ['test/session/faults.test.ts', 'test/session/outages.test.ts', 'test/session/start-egress.test.ts'],
    grep: 'answer',
  },
  {
    invariant: 3,
    what: 'a segment that was reported again lands again',
    file: 'src/segment/segment.repo.ts',
    search: 'on conflict (session_id, sequence) do nothing',
    replace: 'on conflict (session_id, sequence) do update set size_bytes = excluded.size_bytes + 1',
    tests: ['test/segment/landing.test.ts', 'test/segment/back-fill.test.ts'],
  },
  {
    invariant: 3,
    what: 'half a file that no playlist names lands',
    file: 'src/segment/land-segment.ts',
    search: 'if (!closed.isListed && !(isWhole && followsOn(closed, time.start_ms))) return undefined',
    replace: '',
    tests: ['test/segment/back-fill.test.ts'],
  },
  {
    invariant: 4,
    what: 'a sample file is written under its last name at once',
    file: 'src/segment/land-segment.ts',
    search: "const temporary = `${path}.${randomBytes(4).toString('hex')}.tmp`",
    replace: "const temporary = randomBytes(0).toString('hex') + path",
    tests: ['test/segment/landing.test.ts', 'test/segment/killed.test.ts'],
  },
  {
    invariant: 4,
    what: 'the file is unlinked, and its row is not marked',
    file: 'src/segment/segment.repo.ts',
    search: '.set({ deleted_at: now })\n      .where',
    replace: '.set({ deleted_at: null })\n      .where',
    tests: ['test/segment/retention.test.ts', 'test/segment/killed.test.ts'],
  },
  {
    invariant: 5,
    what: 'a pin counts at the first look only',
    file: 'src/segment/segment.repo.ts',
    search: '      .where(sql<boolean>`not ${isPinned}`)\n      .returning',
    replace: '      .returning',
    tests: ['test/segment/retention.test.ts'],
    grep: 'between its look and its lock',
  },
  {
    invariant: 5,
    what: 'what a capture needs is not pinned',
    file: 'src/capture/capture-clip.ts',
    search: 'pins: plan?.pins ?? [],',
    replace: 'pins: [],',
    tests: ['test/segment/contention.test.ts'],
  },
  {
    invariant: 6,
    what: 'a buffer goes before its grace is over',
    file: 'src/segment/purge-session.ts',
    search: "if (!session.expires_at || session.expires_at > deps.now()) return 'not_yet'",
    replace: '',
    tests: ['test/segment/retention.test.ts'],
  },
  {
    invariant: 6,
    what: 'a full disk refuses no capture',
    file: 'src/segment/full-disk.ts',
    search: 'if (!isFull) return\n',
    replace: 'if (minFreeBytes >= 0) return\n',
    tests: ['test/segment/full-disk.test.ts'],
  },
  {
    invariant: 7,
    what: 'a clip ends two pictures late',
    file: 'src/media/cut-video.ts',
    search: 'const toTicks = Math.round(span.toTicks)',
    replace: 'const toTicks = Math.round(span.toTicks) + 6000',
    tests: ['test/media/clip.test.ts'],
  },
  {
    invariant: 7,
    what: "a clip's sound is 20 ms late",
    file: 'src/media/cut-audio.ts',
    search: 'mediaTime: Math.round((grid.lead * sampleRate) / 90000)',
    replace: 'mediaTime: Math.max(0, Math.round((grid.lead * sampleRate) / 90000 - sampleRate / 50))',
    tests: ['test/media/clip.test.ts'],
  },
  {
    invariant: 7,
    what: 'a clip says that it covers more than it does',
    file: 'src/capture/coverage.ts',
    search: 'coveredSeconds: secondsOf(shown)',
    replace: 'coveredSeconds: secondsOf([asked])',
    tests: ['test/capture/coverage.test.ts', 'test/capture/recorded-share.test.ts'],
  },
  {
    invariant: 7,
    what: 'what is served differs from the file at rest by a byte',
    file: 'src/media/virtual-file.ts',
    search: '    yield block\n',
    replace: '    block[0] = (block[0] ?? 0) ^ 1\n    yield block\n',
    tests: ['test/media/virtual-file.test.ts'],
  },
  {
    invariant: 8,
    what: 'what was reserved for a clip stays reserved when it is stored',
    file: 'src/capture/store-clip.ts',
    search: 'await changeReserved(trx, clip.user_id, -locked.reserved_bytes)',
    replace: 'void changeReserved',
    tests: ['test/clip/quota.test.ts'],
  },
  {
    invariant: 8,
    what: 'a deleted clip frees nothing',
    file: 'src/clip/delete-clip.ts',
    search: 'if (clip.file_id) await changeUsed(trx, clip.user_id, -(clip.size_bytes ?? 0))',
    replace: 'void changeUsed',
    tests: ['test/clip/quota.test.ts'],
  },
  {
    invariant: 9,
    what: 'a clip that was answered is not asked to come to rest',
    file: 'src/capture/capture-clip.ts',
    search: ': addStoreJobs(session.id, id)',
    replace: ': finish()',
    tests: ['test/capture/store.test.ts'],
  },
  {
    invariant: 9,
    what: 'jobs of a process that was killed are not given back',
    file: 'src/job/worker-lock.ts',
    search: 'if (dead.length > 0) await sql',
    replace: 'if (dead.length > 100) await sql',
    tests: ['test/job/worker-lock.test.ts'],
  },
  {
    invariant: 10,
    what: 'any text is taken for an id of ours',
    file: 'src/own-id.ts',
    search: 'return UUID_V7.test(text)',
    replace: 'return text.length > 0 || UUID_V7.test(text)',
    tests: ['test/http/bad-input.test.ts', 'test/http/hardening.test.ts'],
  },
  {
    invariant: 10,
    what: "a node deletes buffers on another's disk",
    file: 'src/segment/purge-session.ts',
    search: 'if (session.node !== null && session.node !== deps.node) {',
    replace: 'if (session.node === deps.node && session.node === null) {',
    tests: ['test/segment/retention.test.ts', 'test/segment/nodes.test.ts'],
  },
]
