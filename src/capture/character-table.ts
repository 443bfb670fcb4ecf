/** By byte: 1 for those of the characters, else 0. */
export function characterTable (characters: string): Uint8Array {
  const table = new Uint8Array(256)
  for (const byte of Buffer.from(characters)) table[byte] = 1
  return table
}
