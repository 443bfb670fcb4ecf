// Nothing else is imported here: what an old Node cannot load would hide why the gateway does not start.
import '../required-node.mjs'

await import('./start.js')
