import { importTests } from '../helpers/import-tests.js'

await importTests('console', 540_000)
