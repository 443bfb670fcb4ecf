/**
 * The members of `now` that differ from those of `before`: what a form has changed, and nothing that somebody else did
 * meanwhile.
 */
export function changes<Fields extends object> (before: Readonly<Fields>, now: Fields): Partial<Fields> {
  const names = (Object.keys(now) as Array<keyof Fields>).filter(name =>
    JSON.stringify(now[name]) !== JSON.stringify(before[name]))
  return Object.fromEntries(names.map(name => [name, now[name]])) as Partial<Fields>
}
