/*
 * The clips that the page knows, and which of them the library shows.
 */

/** @typedef {import('./store.js').Clip} Clip */

const PAGE = 24

/**
 * @param {import('./api.js').Api} api
 * @param {import('./store.js').Store} store
 */
export function createLibrary(api, store) {
  let asked = 0

  /** @param {Clip[]} clips */
  const learnAll = (clips) => {
    const known = new Map(store.get().clips)
    for (const clip of clips) known.set(clip.id, clip)
    store.set({ clips: known })
  }

  /** Whose clips the library is of. */
  const owner = () => store.get().library.userId ?? store.get().claims.userId

  const query = () => {
    const { title, userId } = store.get().library
    const params = new URLSearchParams({ limit: String(PAGE) })
    if (title !== '') params.set('title', title)
    if (userId !== undefined) params.set('userId', userId)
    return params
  }

  const load = async () => {
    if (owner() === undefined) return
    const mine = (asked += 1)
    const isStale = () => mine !== asked
    try {
      const page = await api.call('GET', `v1/clips?${query()}`)
      if (!isStale()) show(page, [])
    } catch {
      if (!isStale()) store.set({ library: { ...store.get().library, state: 'failed' } })
    }
  }

  /** @param {import('./api-types.ts').ClipPage} page @param {string[]} before */
  const show = (page, before) => {
    learnAll(page.clips)
    const ids = [...new Set([...before, ...page.clips.map(({ id }) => id)])]
    const { total, nextCursor } = page
    store.set({ library: { ...store.get().library, state: 'ready', ids, total, nextCursor } })
  }

  const loadQuota = async () => {
    if (owner() === undefined) return
    const { userId } = store.get().library
    const whose = userId === undefined ? '' : `?${new URLSearchParams({ userId })}`
    // It is one number among others: what keeps it from coming is said elsewhere.
    const quota = await api.call('GET', `v1/quota${whose}`).catch(() => undefined)
    if (quota) store.set({ quota })
  }

  return {
    loadLibrary: load,
    loadQuota,
    /** A clip as it is now: new, or changed. @param {Clip} clip */
    learn(clip) {
      const { library, clips } = store.get()
      const isNew = !clips.has(clip.id)
      learnAll([clip])
      if (!isNew || clip.userId !== owner() || !matches(clip, library.title)) return
      store.set({ library: { ...library, ids: [clip.id, ...library.ids], total: library.total + 1 } })
    },
    forget: (/** @type {string} */ id) => {
      const { library, clips } = store.get()
      const known = new Map(clips)
      known.delete(id)
      const ids = library.ids.filter((one) => one !== id)
      const total = library.total - (ids.length < library.ids.length ? 1 : 0)
      store.set({ clips: known, library: { ...library, ids, total } })
    },
    /** @param {string} title @param {string | undefined} userId */
    search(title, userId) {
      store.set({ library: { ...store.get().library, state: 'loading', title, userId } })
      return load()
    },
    async loadMore() {
      const mine = (asked += 1)
      const { nextCursor, ids } = store.get().library
      if (nextCursor === null) return
      const params = query()
      params.set('cursor', nextCursor)
      const page = await api.call('GET', `v1/clips?${params}`)
      if (mine === asked) show(page, ids)
    },
    /** One that the library has not shown, or with fresh links. @param {string} id */
    async loadClip(id) {
      learnAll([await api.call('GET', `v1/clips/${id}`)])
    },
  }
}

/** As the service searches. @param {Clip} clip @param {string} wanted */
const matches = ({ title }, wanted) => wanted === '' || (title ?? '').toLowerCase().includes(wanted.toLowerCase())
