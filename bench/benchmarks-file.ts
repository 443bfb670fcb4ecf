import { readFile, writeFile } from 'node:fs/promises'

/**
 * Puts text between the markers of that name, and leaves everything else as it is.
 *
 * @throws Error if the document has no such markers
 */
export function replaceBetweenMarkers (document: string, name: string, text: string): string {
  const [open, close] = [`<!-- ${name} -->`, `<!-- /${name} -->`]
  const start = document.indexOf(open)
  const end = document.indexOf(close, start)
  if (start === -1 || end === -1) throw new Error(`There is no place marked ${open} … ${close}.`)
  return `${document.slice(0, start + open.length)}\n\n${text.trim()}\n\n${document.slice(end)}`
}

export async function updateFile (path: string, name: string, text: string): Promise<void> {
  await writeFile(path, replaceBetweenMarkers(await readFile(path, 'utf8'), name, text))
}
