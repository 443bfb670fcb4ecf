import type { Transform } from 'node:stream'
import * as zlib from 'node:zlib'
import { GzipDecoder } from './gzip-decoder.js'
import { type Decoder, type Extent, StagedDecoder } from './staged-decoder.js'

/** A stream coder that can flush all it has so far. */
export type Coder = Transform & { flush: (callback?: () => void) => void }

export interface Coding {
  /** @param extent `far` where it is not said */
  readonly decoder: (extent?: Extent) => Decoder
  /** Null where what was decoded cannot be coded again here. */
  readonly encoder: (() => Coder) | null
}

const { BROTLI_OPERATION_FLUSH, Z_SYNC_FLUSH } = zlib.constants
/** Node's decoders do not mind what is behind the end: `bytesWritten` says whether something is. */
const needsEnd = (extent?: Extent): boolean => extent === 'whole' || extent === 'ended'
const zlibOptions = (extent?: Extent): zlib.ZlibOptions =>
  needsEnd(extent) ? {} : { flush: Z_SYNC_FLUSH, finishFlush: Z_SYNC_FLUSH }

/**
 * RFC 1950 §2.2: the two bytes with which zlib's form of deflate begins. Raw deflate (RFC 1951), which some send, never
 * does.
 */
function isZlib (head: Buffer): boolean {
  const [cmf = 0, flags = 0] = head
  return (cmf & 0x0f) === 8 && cmf >> 4 <= 7 && (head.length < 2 || (cmf * 256 + flags) % 31 === 0)
}

/** 128 MiB, as other decoders take; HTTP allows 8 MiB (RFC 9659). The memory is touched only as it is filled. */
const ZSTD_OPTIONS = { params: { [zlib.constants.ZSTD_d_windowLogMax]: 27 } }

function createZstdDecoder (extent?: Extent): Decoder {
  return zlib.createZstdDecompress(
    needsEnd(extent) ? ZSTD_OPTIONS : { ...ZSTD_OPTIONS, finishFlush: zlib.constants.ZSTD_e_continue }
  )
}

function createInflate (head: Buffer, extent?: Extent): Decoder {
  const options = zlibOptions(extent)
  return isZlib(head) ? zlib.createInflate(options) : zlib.createInflateRaw(options)
}

/** RFC 9110 §8.4.1, RFC 8878. */
const CODINGS = new Map<string, Coding>([
  ['gzip', {
    decoder: extent => extent === 'whole' ? zlib.createGunzip() : new GzipDecoder(extent === 'ended'),
    encoder: zlib.createGzip
  }],
  ['deflate', {
    decoder: extent => new StagedDecoder(2, head => [createInflate(head, extent)]),
    encoder: zlib.createDeflate
  }],
  ['br', {
    decoder: extent => zlib.createBrotliDecompress(needsEnd(extent) ? {} : { flush: BROTLI_OPERATION_FLUSH }),
    encoder: zlib.createBrotliCompress
  }],
  ['zstd', { decoder: createZstdDecoder, encoder: null }]
])

/** A body that was coded more often than this is not decoded: each time may make it a thousand times larger. */
const MAX_CODINGS = 3

/**
 * The coding that `Content-Encoding` names, which may be several, in the order in which they were applied: null for
 * none, undefined where one of them cannot be read here.
 */
export function codingOf (contentEncoding: string | null): Coding | null | undefined {
  if (contentEncoding === null) return null
  const names = contentEncoding.split(',').map(codingName).filter(name => name !== '' && name !== 'identity')
  if (names.length < 2) return names[0] === undefined ? null : CODINGS.get(names[0])
  const codings = names.map(name => CODINGS.get(name)).filter(coding => coding !== undefined)
  if (codings.length !== names.length || names.length > MAX_CODINGS) return undefined
  codings.reverse()
  return { decoder: extent => new StagedDecoder(0, () => codings.map(({ decoder }) => decoder(extent))), encoder: null }
}

/** Whether a body in it can be decoded, changed and coded again. */
export function isRedoable (name: string): boolean {
  return CODINGS.get(codingName(name))?.encoder != null
}

function codingName (name: string): string {
  const trimmed = name.trim().toLowerCase()
  return trimmed === 'x-gzip' ? 'gzip' : trimmed
}
