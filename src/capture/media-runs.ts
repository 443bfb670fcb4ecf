import { createHash } from 'node:crypto'
import { characterTable } from './character-table.js'
import type { Steps } from '../lib/slices.js'

/** Media read from a body: where its text ends there, and the size and SHA-256 (hex) of what that text decodes to. */
export interface Media {
  readonly end: number
  readonly sizeBytes: number
  readonly sha256: string
}

/** Multiples of four characters, which decode to whole bytes. Small first, so that many small media cost little. */
const firstStep = 1024
const longestStep = 65_536
/** What a step decodes to, until it is hashed: a buffer for each would be megabytes of garbage a picture. */
const stepBytes = Buffer.allocUnsafeSlow(longestStep / 4 * 3 + 3)
/** A step's characters without escapes, behind up to three that the step before left. */
const bareBytes = Buffer.allocUnsafeSlow(longestStep + 3)

/**
 * Reads the base64 text (RFC 4648 §4 and §5, padding optional) that begins at `start`, as far as it goes; null where
 * there is none. The text may be escaped as JSON or percent-encoded, and broken into lines as MIME does.
 */
export function * readBase64 (bytes: Buffer, start: number): Steps<Media | null> {
  const run: Run = { at: start, lineStart: start, lineWidth: 0 }
  if (copyBare(bytes, run, start + 1, bareBytes, 0) === 0) return null
  run.at = run.lineStart = start
  const hash = createHash('sha256')
  let sizeBytes = 0
  const take = (decodedBytes: number): void => {
    hash.update(stepBytes.subarray(0, decodedBytes))
    sizeBytes += decodedBytes
  }
  let step = firstStep
  // Node's decoder skips what is not base64: a full yield proves that every character was. So until the first escape.
  for (; run.at + step <= bytes.length; step = Math.min(step * 4, longestStep)) {
    const decodedBytes = stepBytes.write(bytes.toString('latin1', run.at, run.at + step), 'base64')
    if (decodedBytes !== step / 4 * 3) break
    take(decodedBytes)
    run.at += step
    yield
  }
  let carry = ''
  for (let isLast = false; !isLast; step = Math.min(step * 4, longestStep)) {
    const limit = run.at + step
    bareBytes.write(carry, 'latin1')
    const copied = copyBare(bytes, run, limit, bareBytes, carry.length)
    isLast = run.at < limit
    const whole = isLast ? copied : copied - copied % 4
    take(stepBytes.write(bareBytes.toString('latin1', 0, whole), 'base64'))
    carry = bareBytes.toString('latin1', whole, copied)
    yield
  }
  const padding = /^(?:=|\\+u003d|%3d){0,2}/i.exec(bytes.toString('latin1', run.at, run.at + 16))?.[0] ?? ''
  return { end: run.at + padding.length, sizeBytes, sha256: hash.digest('hex') }
}

/** How far a base64 text was read. */
interface Run {
  at: number
  /** Where the line that is being read would begin without its escapes. */
  lineStart: number
  /** How long the lines before it were; 0: there was none. */
  lineWidth: number
}

const isBase64 = characterTable('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_')

/**
 * Copies the base64 text from `run.at` into `out`, without escapes and line breaks, up to its end or to `limit`, which
 * an escape may pass.
 *
 * @returns where the copy ends in `out`
 */
function copyBare (bytes: Buffer, run: Run, limit: number, out: Buffer, from: number): number {
  let { at } = run
  let to = from
  while (at < limit) {
    const byte = bytes[at] ?? 0
    if (isBase64[byte] === 1) {
      out[to++] = byte
      at++
      continue
    }
    if (byte !== backslash && byte !== percent && byte !== lineFeed && byte !== carriageReturn) break
    const escape = escapeLength(bytes, at)
    if (escape > 0) {
      out[to++] = (bytes[at + escape - 1] ?? 0) % 32 === lastOfPlus ? plus : slash
      // Only what it stands for counts as the line's length.
      run.lineStart += escape - 1
      at += escape
      continue
    }
    const skipped = lineBreakLength(bytes, at, run)
    if (skipped === 0) break
    at += skipped
  }
  run.at = at
  return to
}

/** An escape's backslashes: JSON within JSON within JSON has seven. */
const mostBackslashes = 8

/**
 * How long the escape of `/` or `+` at `at` is, one of JSON (within JSON: more backslashes) or of a URL; else 0. There
 * are millions of them: no regular expression looks for them.
 */
function escapeLength (bytes: Buffer, at: number): number {
  let i = at
  while (bytes[i] === backslash && i - at < mostBackslashes) i++
  if (i === at) return bytes[at] === percent && bytes[at + 1] === 0x32 && isPlusOrSlash(bytes[at + 2]) ? 3 : 0
  if (bytes[i] === slash) return i + 1 - at
  const isU = bytes[i] === 0x75 || bytes[i] === 0x55
  const is002 = bytes[i + 1] === 0x30 && bytes[i + 2] === 0x30 && bytes[i + 3] === 0x32
  return isU && is002 && isPlusOrSlash(bytes[i + 4]) ? i + 5 - at : 0
}

/** `b` as in 2b, or `f` as in 2f; in capitals too. */
const isPlusOrSlash = (byte = 0): boolean => (byte | 0x20) === 0x62 || (byte | 0x20) === 0x66

/**
 * How long the line break at `at` is, raw or as JSON; 0 where it does not belong to the media. It belongs there where
 * the lines have one of the two customary lengths and the next goes on with base64: prose after an image is not taken
 * in.
 */
function lineBreakLength (bytes: Buffer, at: number, run: Run): number {
  const width = at - run.lineStart
  if (run.lineWidth === 0 ? width !== 64 && width !== 76 : width !== run.lineWidth) return 0
  const length = /^(?:\r?\n|(?:\\r)?\\n)/.exec(bytes.toString('latin1', at, at + 4))?.[0].length ?? 0
  const next = at + length
  if (length === 0 || (isBase64[bytes[next] ?? 0] !== 1 && escapeLength(bytes, next) === 0)) return 0
  run.lineWidth = width
  run.lineStart = next
  return length
}

const lineFeed = 0x0a
const carriageReturn = 0x0d
const percent = 0x25
const plus = 0x2b
const slash = 0x2f
/** Of `b` and `B`, in which an escape of `+` ends. */
const lastOfPlus = 2
const backslash = 0x5c
