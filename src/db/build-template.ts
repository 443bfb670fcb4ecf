import { buildTemplate } from './embedded-template.js'

// Run by `npm run build`. Does nothing if the template is up to date.
await buildTemplate()
