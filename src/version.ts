import { readFileSync } from 'node:fs'

/** package.json's version; the file lies beside both src and dist. */
export const VERSION = readVersion(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))

function readVersion (packageJson: string): string {
  const { version } = JSON.parse(packageJson) as { version: string }
  return version
}
