import { createServer, type RequestListener, type Server } from 'node:http'
import type { Socket } from 'node:net'
import type { Config } from '../config.ts'

/** Who waits for an answer is given so long to get it when the server ends, then a word that it ends, then nothing. */
const PATIENCE = { lastCallMs: 7000, cutMs: 8000 }

/** Who sends a byte a minute keeps a connection for no longer. An answer may take as long as it takes. */
const REQUEST_LIMITS = {
  /** Until the header is here. */
  headersTimeout: 10_000,
  /** Until all of the request is here. */
  requestTimeout: 30_000,
  /** Longer than a load balancer's, so that it is never the one to find a closed connection. */
  keepAliveTimeout: 65_000,
  connectionsCheckingInterval: 2000,
}

/** Answers at the configured address, or, for port 0, at any that is free. */
export async function startServer(
  app: RequestListener,
  config: Pick<Config, 'host' | 'port'>,
  limits = REQUEST_LIMITS,
): Promise<{ url: string; stop: (onLastCall?: () => void) => Promise<void> }> {
  const server = createServer(limits, app)
  const silent = watchSilent(server)
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(config.port, config.host, () => {
      server.off('error', reject)
      resolve()
    })
  })
  return { url: urlOf(server, config), stop: (onLastCall) => close(server, silent, onLastCall) }
}

function urlOf(server: Server, { host, port }: Pick<Config, 'host' | 'port'>): string {
  const address = server.address()
  const actual = address !== null && typeof address === 'object' ? address.port : port
  return `http://${host === '0.0.0.0' || host === '::' ? 'localhost' : host}:${actual}`
}

/**
 * Connections on which nothing was asked yet: browsers open such ones ahead of need, and
 * node takes them for busy, not for idle.
 */
function watchSilent(server: Server): Set<Socket> {
  const silent = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    silent.add(socket)
    socket.once('close', () => silent.delete(socket))
  })
  server.on('request', ({ socket }) => silent.delete(socket))
  return silent
}

/** Lets running requests end, for a while; those that can be cut short are told to be. */
async function close(server: Server, silent: Set<Socket>, onLastCall: () => void = () => undefined): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  for (const socket of silent) socket.destroy()
  const timers = [
    // A connection whose request was under way is kept alive by its client afterwards.
    setInterval(() => server.closeIdleConnections(), 50),
    setTimeout(onLastCall, PATIENCE.lastCallMs),
    setTimeout(() => server.closeAllConnections(), PATIENCE.cutMs),
  ]
  await closed
  for (const timer of timers) clearTimeout(timer)
}
