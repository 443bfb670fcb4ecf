/**
 * What of Chrome's profile format is read here (`node --cpu-prof`). Times are microseconds of the system's monotonic
 * clock.
 */
export interface CpuProfile {
  readonly nodes: ReadonlyArray<{
    readonly id: number
    readonly callFrame: { readonly functionName: string, readonly url: string }
    readonly children?: readonly number[]
  }>
  readonly startTime: number
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

export interface Share {
  /** A package, a file of src/, or what is neither. */
  readonly module: string
  readonly selfUs: number
}

/** The calls by which Node hands bytes to a socket: their time is the kernel's. */
const SOCKET_WRITES = new Set([
  'writev', 'writeBuffer', 'writeUtf8String', 'writeLatin1String', 'writeAsciiString', 'shutdown'
])
const OUTSIDE_JAVASCRIPT = new Map([
  ['(garbage collector)', 'garbage collection'],
  ['(program)', 'outside JavaScript (reads from sockets, libuv)']
])

/**
 * Where the time between two moments went, most first. Time in Node's own code and in native functions goes to the
 * nearest package or file of src/ up the stack that called them; idle time is left out.
 */
export function sharesByModule (profile: CpuProfile, fromUs: number, toUs: number): Share[] {
  const parents = new Map(profile.nodes.flatMap(node => (node.children ?? []).map(child => [child, node.id] as const)))
  const frames = new Map(profile.nodes.map(node => [node.id, node.callFrame]))
  const modules = new Map<number, string>()
  const moduleOf = (id: number): string => {
    const known = modules.get(id) ?? findModule(id, frames, parents)
    modules.set(id, known)
    return known
  }
  const selfUs = new Map<string, number>()
  let atUs = profile.startTime
  profile.samples.forEach((id, i) => {
    const deltaUs = profile.timeDeltas[i] ?? 0
    atUs += deltaUs
    if (atUs < fromUs || atUs > toUs || frames.get(id)?.functionName === '(idle)') return
    const module = moduleOf(id)
    selfUs.set(module, (selfUs.get(module) ?? 0) + deltaUs)
  })
  return [...selfUs].map(([module, us]) => ({ module, selfUs: us })).sort((a, b) => b.selfUs - a.selfUs)
}

function findModule (
  id: number,
  frames: ReadonlyMap<number, CpuProfile['nodes'][number]['callFrame']>,
  parents: ReadonlyMap<number, number>
): string {
  const self = frames.get(id)
  const outside = OUTSIDE_JAVASCRIPT.get(self?.functionName ?? '')
  if (outside !== undefined) return outside
  if (self?.url === '' && SOCKET_WRITES.has(self.functionName)) return 'writes to sockets'
  let nodeModule: string | null = null
  for (let at: number | undefined = id; at !== undefined; at = parents.get(at)) {
    const url = frames.get(at)?.url ?? ''
    const found = labelOf(url)
    if (found !== null) return found
    if (url.startsWith('node:')) nodeModule ??= url
  }
  return nodeModule ?? self?.functionName ?? '(unknown)'
}

function labelOf (url: string): string | null {
  const inPackage = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1]
  if (inPackage !== undefined) return inPackage
  const inSource = /\/dist\/(.+)\.js$/.exec(url)?.[1]
  return inSource === undefined ? null : `src/${inSource}.ts`
}
