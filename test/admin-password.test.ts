import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { loadAdminPassword } from '../src/admin-password.js'

t.test('a configured password is used, and nothing is written', async t => {
  const dataDir = join(t.testdir(), 'data')
  t.same(await loadAdminPassword('swordfish', dataDir), { password: 'swordfish', isNew: false, file: null })
  t.equal(existsSync(dataDir), false)
})

t.test('the first start makes a password for its owner\'s eyes only, later ones find it', async t => {
  const dataDir = join(t.testdir(), 'not', 'yet')
  const file = join(dataDir, 'admin-password')
  const made = await loadAdminPassword(null, dataDir)
  t.match(made, { password: /^[A-Za-z0-9_-]{24}$/, isNew: true, file })
  t.equal(readFileSync(file, 'utf8'), made.password + '\n')
  t.equal(statSync(file).mode & 0o777, 0o600)
  t.same(await loadAdminPassword(null, dataDir), { password: made.password, isNew: false, file })
})

t.test('no two gateways have the same password', async t => {
  const made = await Promise.all(['a', 'b', 'c'].map(name => loadAdminPassword(null, join(t.testdirName, name))))
  t.equal(new Set(made.map(({ password }) => password)).size, 3)
})

t.test('a password that a person wrote into the file is taken without its line end', async t => {
  const dataDir = t.testdir({ 'admin-password': ' correct horse \r\n' })
  t.match(await loadAdminPassword(null, dataDir), { password: 'correct horse', isNew: false })
})

t.test('starts at the same moment agree on one password', async t => {
  const dataDir = join(t.testdir(), 'data')
  const made = await Promise.all(Array.from({ length: 20 }, () => loadAdminPassword(null, dataDir)))
  t.equal(new Set(made.map(({ password }) => password)).size, 1)
  t.equal(made.filter(({ isNew }) => isNew).length, 1)
})

t.test('an empty file is an error that says what to do', async t => {
  const dataDir = t.testdir({ 'admin-password': '\n' })
  await t.rejects(loadAdminPassword(null, dataDir), {
    message: `${join(dataDir, 'admin-password')} is empty. Write a password into it, or delete it to have one made.`
  })
})

t.test('a folder that cannot be written to is an error', async t => {
  const folder = t.testdir({ file: '' })
  await t.rejects(loadAdminPassword(null, join(folder, 'file')), { code: /EEXIST|ENOTDIR/ })
  writeFileSync(join(folder, 'x'), '')
  await t.rejects(loadAdminPassword(null, join(folder, 'x', 'y')), { code: 'ENOTDIR' })
})
