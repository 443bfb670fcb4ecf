import { type Transform } from 'node:stream'
import {
  type ZlibOptions, brotliDecompressSync, constants, createBrotliCompress, createBrotliDecompress, createDeflate, createGunzip, createGzip,
  createInflate, gunzipSync, inflateSync
} from 'node:zlib'

/** A stream coder that can be made to hand over all it has so far. */
export type Coder = Transform & { flush: (callback?: () => void) => void }

export interface Coding {
  readonly decoder: () => Transform
  readonly encoder: () => Coder
  /** A whole body, unless it is broken or longer than `maxBytes` decoded: null then. */
  readonly decode: (body: Buffer, maxBytes: number) => Buffer | null
}

const decodeWith = (decode: (body: Buffer, options: Pick<ZlibOptions, 'maxOutputLength'>) => Buffer): Coding['decode'] => (body, maxBytes) => {
  try {
    return decode(body, { maxOutputLength: maxBytes })
  } catch {
    return null
  }
}

/** What came of a body that broke off is decoded as far as it goes. */
const toTheLastByte = { flush: constants.Z_SYNC_FLUSH, finishFlush: constants.Z_SYNC_FLUSH }

/** RFC 9110 §8.4.1. zstd is not among them: Node 20 cannot read it. */
const CODINGS = new Map<string, Coding>([
  ['gzip', { decoder: () => createGunzip(toTheLastByte), encoder: createGzip, decode: decodeWith(gunzipSync) }],
  ['deflate', { decoder: () => createInflate(toTheLastByte), encoder: createDeflate, decode: decodeWith(inflateSync) }],
  ['br', { decoder: () => createBrotliDecompress({ flush: constants.BROTLI_OPERATION_FLUSH }), encoder: createBrotliCompress, decode: decodeWith(brotliDecompressSync) }]
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
