import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { transform } from 'esbuild'

// Module hooks (https://nodejs.org/api/module.html#customization-hooks). esbuild strips the types in a twentieth of the
// processor time that tap's own TypeScript plugin takes, which was most of what the tests took.

/** A file that is imported as `x.js` may be `x.ts`. */
export async function resolve (specifier, context, next) {
  try {
    return await next(specifier, context)
  } catch (error) {
    if (error.code !== 'ERR_MODULE_NOT_FOUND' || !specifier.endsWith('.js')) throw error
    return await next(`${specifier.slice(0, -'.js'.length)}.ts`, context)
  }
}

export async function load (url, context, next) {
  if (!url.endsWith('.ts')) return await next(url, context)
  const { code } = await transform(await readFile(new URL(url), 'utf8'), {
    loader: 'ts', target: 'node20', sourcemap: 'inline', sourcefile: fileURLToPath(url), tsconfigRaw: {}
  })
  return { format: 'module', source: code, shortCircuit: true }
}
