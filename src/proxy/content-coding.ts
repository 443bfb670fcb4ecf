import { type Transform } from 'node:stream'
import { constants, createBrotliCompress, createBrotliDecompress, createDeflate, createGunzip, createGzip, createInflate } from 'node:zlib'

/** A stream coder that can be made to hand over all it has so far. */
export type Coder = Transform & { flush: (callback?: () => void) => void }

interface Coding {
  readonly decoder: () => Transform
  readonly encoder: () => Coder
}

/** RFC 9110 §8.4.1. zstd is not among them: Node 20 cannot read it. */
const CODINGS = new Map<string, Coding>([
  ['gzip', { decoder: () => createGunzip({ flush: constants.Z_SYNC_FLUSH, finishFlush: constants.Z_SYNC_FLUSH }), encoder: createGzip }],
  ['deflate', { decoder: () => createInflate({ flush: constants.Z_SYNC_FLUSH, finishFlush: constants.Z_SYNC_FLUSH }), encoder: createDeflate }],
  ['br', { decoder: () => createBrotliDecompress({ flush: constants.BROTLI_OPERATION_FLUSH }), encoder: createBrotliCompress }]
])

/** The coding that `Content-Encoding` names: null for none, undefined for one that cannot be read here. */
export function codingOf (contentEncoding: string | null): Coding | null | undefined {
  const name = contentEncoding?.trim().toLowerCase() ?? ''
  if (name === '' || name === 'identity') return null
  return CODINGS.get(name === 'x-gzip' ? 'gzip' : name)
}

/** An `Accept-Encoding` without the codings that cannot be undone here. */
export function readableCodings (acceptEncoding: string): string {
  const kept = acceptEncoding.split(',').filter(part => {
    const name = part.split(';')[0]?.trim().toLowerCase() ?? ''
    return name === 'identity' || codingOf(name) != null
  })
  return kept.length === 0 ? 'identity' : kept.join(',').trim()
}
