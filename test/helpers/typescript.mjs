// Loaded into every test's process (`--import`), and so into the threads that it starts: what TypeScript imports, or a thread
// starts with, as `x.js` may be `x.ts`. Node strips the types itself.
import { existsSync } from 'node:fs'
import { registerHooks } from 'node:module'

registerHooks({
  resolve (specifier, context, next) {
    const isOurs = context.parentURL === undefined || context.parentURL.endsWith('.ts')
    if (isOurs && /^(\.|file:).*\.js$/.test(specifier)) {
      // Looked for first: to let Node fail to find it costs a tenth of the app's import.
      const source = new URL(`${specifier.slice(0, -'.js'.length)}.ts`, context.parentURL)
      if (existsSync(source)) return { url: source.href, format: 'module-typescript', shortCircuit: true }
    }
    return next(specifier, context)
  }
})
