import { readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { hasPolicyFile, policyFile } from '../../src/db/policy-file.js'
import type { PolicyData } from '../../src/db/policy-store.js'
import type { Log } from '../../src/log.js'
import { silentLog } from '../helpers/database.js'

const policy = (version: number, types = 1): PolicyData => ({
  version,
  defaults: { trackFullData: false, isActive: true },
  configs: Array.from({ length: types }, (_, i) => ({
    promptType: `type-${i}-"ü😀`, trackFullData: true, isActive: false
  })),
  keys: [
    {
      id: '1', name: 'team', user: null, keySha256: 'ab', allowedPromptTypes: ['a'], expiresAtMs: 1.5e12, revoked: false
    }
  ],
  budgets: [
    {
      id: '2',
      name: 'tags',
      promptType: 'a',
      period: 'month',
      limitUsd: '12.5',
      strict: true,
      spent: [{ periodStartMs: 1.7e12, spentUsd: '0.00021', revision: 1 }],
      lifts: []
    }
  ],
  prices: [
    {
      model: 'ours',
      effectiveFromMs: 1.7e12,
      input: '0.15',
      cachedInput: null,
      output: '0.6',
      audioInput: null,
      audioOutput: null
    }
  ]
})

const warnings = (): { log: Log, told: string[] } => {
  const told: string[] = []
  return { told, log: { ...silentLog, warn: (_fields, message) => { told.push(message) } } }
}

t.test('the policy that is kept is the one that is read, by its owner only', async t => {
  const dataDir = join(t.testdir(), 'not-yet')
  t.equal(hasPolicyFile(dataDir), false)
  const { log, told } = warnings()
  t.equal(await policyFile(dataDir).read(log), null)
  await policyFile(dataDir).write(policy(7))
  await policyFile(dataDir).write(policy(8))
  t.equal(hasPolicyFile(dataDir), true)
  t.same(await policyFile(dataDir).read(log), policy(8))
  t.same(told, [])
  t.same(readdirSync(dataDir), ['policy.json'])
  t.equal(statSync(join(dataDir, 'policy.json')).mode & 0o777, 0o600)
})

t.test('what cannot be read, or is of another build, is none, with a warning', async t => {
  const dataDir = t.testdir()
  const file = policyFile(dataDir)
  await file.write(policy(1))
  const whole = readFileSync(join(dataDir, 'policy.json'), 'utf8')
  for (const text of [
    '', whole.slice(0, -1), 'null', '[]', '{}', '{"format":1,"policy":{}}', whole.replace('"format":2', '"format":99')
  ]) {
    writeFileSync(join(dataDir, 'policy.json'), text)
    const { log, told } = warnings()
    t.equal(await file.read(log), null, text.slice(0, 30))
    t.equal(told.length, 1, 'told')
  }
  await file.write(policy(2))
  t.same(await file.read(silentLog), policy(2))
})

t.test('what is read is one policy, whole, and the last at the end, however many are kept at once', async t => {
  const dataDir = t.testdir()
  const file = policyFile(dataDir)
  const sizes = [5000, 1, 3000, 2, 4000, 1]
  await file.write(policy(0))
  const progress = { done: false }
  const written = Promise.all(sizes.map((types, i) => file.write(policy(i + 1, types))))
    .finally(() => { progress.done = true })
  while (!progress.done) {
    const read = await file.read({ ...silentLog, warn: fields => t.fail('unreadable', fields) })
    if (read !== null && read.configs.length !== (sizes[read.version - 1] ?? 1)) t.fail('mixed')
  }
  await written
  t.same(await file.read(silentLog), policy(6))
  t.same(readdirSync(dataDir), ['policy.json'])
})

t.test('a write that fails leaves what was kept, and the next one works', async t => {
  const dataDir = t.testdir({ 'policy.json.new': {} })
  const file = policyFile(dataDir)
  await t.rejects(file.write(policy(1)), { code: 'EISDIR' })
  const other = policyFile(t.testdir())
  await other.write(policy(2))
  t.same(await other.read(silentLog), policy(2))
})
