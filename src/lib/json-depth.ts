const QUOTE = 0x22
const BACKSLASH = 0x5c
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d

/**
 * Whether JSON text is nested deeper than `maxDepth`. JSON can be nested deeper than it can be written again:
 * `JSON.stringify`, and what serialises answers, call themselves once a level.
 */
export function isDeeperThan (json: string, maxDepth: number): boolean {
  let depth = 0
  for (let i = 0; i < json.length; i++) {
    const character = json.charCodeAt(i)
    if (character === QUOTE) {
      for (i++; i < json.length && json.charCodeAt(i) !== QUOTE; i++) if (json.charCodeAt(i) === BACKSLASH) i++
    } else if (character === OPEN_BRACKET || character === OPEN_BRACE) {
      if (++depth > maxDepth) return true
    } else if (character === CLOSE_BRACKET || character === CLOSE_BRACE) depth--
  }
  return false
}
