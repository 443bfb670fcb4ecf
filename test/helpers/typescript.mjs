// Loaded into every test's process (`--import`): its TypeScript, and that of the threads that it starts, runs from source.
import { register } from 'node:module'

register('./typescript-hooks.mjs', import.meta.url)
