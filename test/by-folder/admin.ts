import { importTests } from '../helpers/import-tests.js'

await importTests('admin', 360_000)
