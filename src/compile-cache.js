import { enableCompileCache } from 'node:module'
import { fileURLToPath } from 'node:url'

/*
 * Loaded before all else, here and in each thread. To take the types out of a source file, node loads a compiler that
 * stays in memory (30 MB): what it made is kept on the disk, and from the second start on it is not needed. No types
 * in this file, or it would be loaded for them.
 */
enableCompileCache(fileURLToPath(new URL('../node_modules/.cache/livekit-replay', import.meta.url)))
