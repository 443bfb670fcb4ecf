/** Every route of an app, from the tree that Fastify prints with `printRoutes({ commonPrefix: false })`. */
export function routesOf (printed: string): { path: string, methods: string[] }[] {
  const parents: string[] = []
  return printed.split('\n').flatMap(line => {
    const [, branch, segment, methods] = /^(.*?── )(.*?) \((.*)\)$/.exec(line) ?? []
    if (branch === undefined || segment === undefined || methods === undefined) return []
    const depth = branch.length / 4
    const path = (parents[depth - 1] ?? '') + segment
    parents[depth] = path
    return [{ path, methods: methods.split(', ') }]
  })
}
