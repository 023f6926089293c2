import { mkdtemp, readFile, rm } from 'node:fs/promises'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as pause } from 'node:timers/promises'
import {
  EgressClient,
  RoomServiceClient,
  SegmentedFileOutput,
  WebhookReceiver,
  type WebhookEvent,
} from 'livekit-server-sdk'
import { startSimulator, type Simulator, type SimulatorOptions } from '../../src/simulator/simulator.ts'

export const KEY = { apiKey: 'devkey', apiSecret: 'secretsecretsecretsecretsecretsecret' }

/** Waits for a condition, and says what it waited for when it never came. */
export async function until<T>(
  what: string,
  condition: () => T | Promise<T>,
  limitMs = 10_000,
): Promise<NonNullable<T>> {
  const deadline = Date.now() + limitMs
  for (;;) {
    const found = await condition()
    if (found) return found
    if (Date.now() > deadline) throw new Error(`waited ${limitMs} ms in vain for ${what}`)
    await pause(10)
  }
}

export type Delivery = { at: number; headers: http.IncomingHttpHeaders; body: string; event: WebhookEvent }

/** A door for webhooks that verifies them with LiveKit's own SDK. */
export async function startReceiver() {
  const receiver = new WebhookReceiver(KEY.apiKey, KEY.apiSecret)
  const deliveries: Delivery[] = []
  const answers: number[] = []
  const server = http.createServer((request, response) => {
    void (async () => {
      const body = await text(request)
      const event = await receiver.receive(body, request.headers.authorization)
      deliveries.push({ at: Date.now(), headers: request.headers, body, event })
      response.writeHead(answers.shift() ?? 200).end()
    })()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/webhooks/livekit`,
    deliveries,
    names: () => deliveries.map(({ event }) => event.event),
    /** Statuses of the next answers; after them 200. */
    answerWith: (...statuses: number[]) => answers.push(...statuses),
    stop: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

export type Run = Awaited<ReturnType<typeof startRun>>

/** A simulator, its receiver, LiveKit's own clients, and a directory for the egresses. */
export async function startRun(options: Partial<SimulatorOptions> = {}) {
  const receiver = await startReceiver()
  const directory = await mkdtemp(path.join(tmpdir(), 'simulator-'))
  const simulator: Simulator = await startSimulator({ ...KEY, webhookUrls: [receiver.url], ...options })
  const egress = new EgressClient(simulator.url, KEY.apiKey, KEY.apiSecret)
  const rooms = new RoomServiceClient(simulator.url, KEY.apiKey, KEY.apiSecret)
  return {
    simulator,
    receiver,
    directory,
    egress,
    rooms,
    output: (name: string, segmentDuration = 1) =>
      new SegmentedFileOutput({
        filenamePrefix: path.join(directory, name, 'seg'),
        playlistName: 'index',
        livePlaylistName: 'live',
        segmentDuration,
      }),
    read: (...parts: string[]) => readFile(path.join(directory, ...parts), 'utf8'),
    stop: async () => {
      await simulator.stop()
      await receiver.stop()
      await rm(directory, { recursive: true })
    },
  }
}

/** Starts an egress of a participant's share, and waits for it to be active. */
export async function record(run: Run, room: string, identity: string, name = identity): Promise<string> {
  const outputs = { segments: run.output(name) }
  const { egressId } = await run.egress.startParticipantEgress(room, identity, outputs, { screenShare: true })
  await until('an active egress', () => statusOf(run, egressId) === 'EGRESS_ACTIVE')
  return egressId
}

export function statusOf(run: Run, egressId: string): string | undefined {
  return run.simulator.egresses().find((one) => one.egressId === egressId)?.status
}

/** The error a call ended with. */
export async function errorOf(call: Promise<unknown>): Promise<{ status?: number; code?: string; message: string }> {
  try {
    await call
  } catch (error) {
    return error as { status?: number; code?: string; message: string }
  }
  throw new Error('the call did not fail')
}
