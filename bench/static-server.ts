import { dirname } from 'node:path'
import express from 'express'

/** `express.static`, which is `send`: the plain server that downloads are compared with. Tells its port. */
const server = express()
  .use(express.static(dirname(process.argv[2] ?? '')))
  .listen(0, '127.0.0.1', () => {
    const address = server.address()
    process.send?.(address !== null && typeof address === 'object' ? address.port : 0)
  })
process.on('disconnect', () => process.exit())
