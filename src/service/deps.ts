import { createClipMediaCache } from '../capture/clip-media.ts'
import { createClipWriter } from '../capture/clip-writer.ts'
import { createOpenIndexCache } from '../capture/open-clip.ts'
import { createRecent } from '../capture/recent.ts'
import { createStillMaker } from '../capture/still.ts'
import type { Now } from '../clock.ts'
import type { Config } from '../config.ts'
import type { Db } from '../db/connect.ts'
import { freeBytes } from '../disk.ts'
import { createTokenVerifier } from '../livekit/access-token.ts'
import { createEgressApi } from '../livekit/egress.ts'
import { createPing } from '../livekit/ping.ts'
import { createRoomApi } from '../livekit/room-service.ts'
import { createRoomDataSender } from '../livekit/room-data.ts'
import { timeCall, timeCalls } from '../livekit/time-calls.ts'
import { createWebhookSigner } from '../livekit/sign-webhook.ts'
import { createWebhookReceiver } from '../livekit/webhook-event.ts'
import type { Log, LogModule } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import { createLivekitState } from '../operate/livekit-state.ts'
import { assertFreeSpace, readDisk } from '../segment/full-disk.ts'
import { createLiveConfigs } from '../segment/live-buffer.ts'
import { createTurns } from '../segment/turns.ts'
import { createEventRecorder } from '../webhook/record-event.ts'

/** What everything is given, by name; each takes of it what it says it needs. */
export function createDeps(config: Config, db: Db, now: Now, log: Log, metrics: Metrics) {
  const { bufferPath, storagePath } = config
  return {
    config,
    db,
    now,
    log,
    node: config.node,
    bufferPath,
    storagePath,
    liveConfigs: createLiveConfigs(),
    mediaCache: createClipMediaCache(),
    openCache: createOpenIndexCache(),
    clipWriter: createClipWriter(),
    posterCache: createRecent<Buffer>(16),
    sessionPosters: new Map(),
    makeStill: createStillMaker(config.ffmpegPath),
    stillTurns: createTurns(2),
    assertFreeSpace: () => assertFreeSpace({ bufferPath, storagePath, config }),
    readDisk: () => readDisk({ bufferPath, storagePath, config }),
    freeBufferBytes: () => freeBytes(bufferPath),
    metrics,
    egress: timeCalls('egress', createEgressApi(config.livekit, config.egressPath), metrics.livekitCalled),
    rooms: timeCalls('rooms', createRoomApi(config.livekit), metrics.livekitCalled),
    livekitState: createLivekitState(timeCall('ping', createPing(config.livekit), metrics.livekitCalled)),
    receive: createWebhookReceiver(config.livekit, config.egressPath),
    recordEvent: createEventRecorder(db),
    verifyToken: createTokenVerifier(config.livekit),
    signWebhook: createWebhookSigner(config.livekit),
    sendRoomData: timeCall('rooms.sendData', createRoomDataSender(config.livekit), metrics.livekitCalled),
  }
}

/** The same, but what is logged says that it is of this part. */
export function logAs<D extends { log: Log }>(deps: D, module: LogModule): D {
  return { ...deps, log: deps.log.child(module) }
}

export type Deps = ReturnType<typeof createDeps>
