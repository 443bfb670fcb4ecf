/** Shorter names, and those of one word, are too near to what others call theirs: `HOST` and `HOME`. */
const LONG_NAME = /^(?=.{8})[A-Za-z\d]+_\w+$/
const MAX_EDITS = 2

/** Variables that are nearly a setting (another case, or up to two letters), each with that setting, which is unset. */
export function misspeltSettings (
  settings: ReadonlySet<string>, variables: Readonly<Record<string, string | undefined>>
): Array<{ name: string, meant: string }> {
  const unset = [...settings].filter(name => LONG_NAME.test(name) && (variables[name] ?? '') === '')
  const others = Object.keys(variables).filter(name => LONG_NAME.test(name) && !settings.has(name))
  return others.flatMap(name => {
    const meant = unset.find(setting => isNear(name.toUpperCase(), setting, MAX_EDITS))
    return meant === undefined ? [] : [{ name, meant }]
  })
}

/** Whether at most `edits` letters added, removed or replaced turn one into the other (Levenshtein). */
function isNear (a: string, b: string, edits: number): boolean {
  if (a === '' || b === '') return a.length + b.length <= edits
  if (a[0] === b[0]) return isNear(a.slice(1), b.slice(1), edits)
  return edits > 0 && [[1, 1], [1, 0], [0, 1]].some(([i, j]) => isNear(a.slice(i), b.slice(j), edits - 1))
}
