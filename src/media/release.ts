/**
 * Gives the memory of bytes that nobody reads or writes any more back at once; they are empty from then on. Left to
 * itself it waits for a garbage collection, which a few large buffers among much small do not bring about: what passes
 * through adds up to tens of megabytes. Buffers that share the pool of small ones are left to that.
 */
export function releaseBytes({ buffer }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength > Buffer.poolSize) buffer.transfer(0)
}
