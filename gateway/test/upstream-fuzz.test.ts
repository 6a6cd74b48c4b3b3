// Answers of nodes that nobody would think of, of many tenants at once: each client gets exactly its own answer, or a
// failure that it can tell from one. All is judged by what was received. Runs for 30 s with a fresh seed, which is printed.
// By hand: `FUZZ_SECONDS=600 sh scripts/with-runtime.sh node gateway/test/upstream-fuzz.test.ts`; with `FUZZ_SEED=<seed>` the
// nodes give the same answers to the same requests again (which of them meet is up to the machine).
import t from 'tap'
import { createTestDatabase } from '../../drizzle/test/support/test-database.ts'
import { fuzzSettings } from './support/config.ts'
import { createRandom, markerOf, type Random } from './support/fuzz-answers.ts'
import { judge } from './support/fuzz-judge.ts'
import { type FuzzNode, startFuzzNode } from './support/fuzz-node.ts'
import { startGateway } from './support/gateway-process.ts'
import { RawClient, requestText } from './support/raw-client.ts'
import { certificateFile } from './support/raw-upstream.ts'
import { createTenant } from './support/tenant.ts'

const { seed, seconds } = fuzzSettings()
const judgedMin = 300
const clientsPerTenant = 2
/** Each is a chain with a node of its own, and some tenants. */
const kinds = [
  { tenants: 4, kind: 'rest', scheme: 'http', maySendSurplus: false },
  { tenants: 3, kind: 'rest', scheme: 'https', maySendSurplus: false },
  // What stands behind an answer may break a connection that others use next: no answer is demanded here.
  { tenants: 3, kind: 'rest', scheme: 'http', maySendSurplus: true },
  { tenants: 2, kind: 'evm', scheme: 'http', maySendSurplus: false }
] as const

interface FuzzTenant {
  readonly place: number
  readonly secret: string
  readonly kind: 'rest' | 'evm'
  readonly node: FuzzNode
  readonly isDemanding: boolean
}

t.setTimeout((seconds + 270) * 1000)

const db = await createTestDatabase()
const nodes: FuzzNode[] = []
const tenants: FuzzTenant[] = []
for (const { tenants: count, kind, scheme, maySendSurplus } of kinds) {
  const node = await startFuzzNode({ seed, scheme, maySendSurplus })
  nodes.push(node)
  const upstreamUrl = node.upstream.url
  let chainId: string | undefined
  for (let i = 0; i < count; i++) {
    const wish = chainId === undefined ? { upstreamUrl, chain: { kind } } : { chainId }
    const tenant = await createTenant(db.database, wish)
    chainId = tenant.chainId
    const { secret } = tenant
    tenants.push({ place: tenants.length, secret, kind, node, isDemanding: !maySendSurplus })
  }
}
const gateway = await startGateway({
  databaseUrl: db.url,
  env: {
    GATEWAY_THREADS: '2',
    NODE_EXTRA_CA_CERTS: certificateFile,
    UPSTREAM_TIMEOUT_MS: '60000'
  }
})
t.teardown(async () => {
  await gateway.stop()
  for (const { upstream } of nodes) await upstream.stop()
  await db.drop()
})

let requestCount = 0
const counts: Record<string, number> = { exact: 0, 'failed cleanly': 0, incomplete: 0 }
const wrongs: string[] = []

function requestOf(tenant: FuzzTenant, request: number, random: Random): string {
  const marker = markerOf(tenant.place, request)
  const filling = 'f'.repeat(random.below(random.pick([10, 1000, 30_000])))
  const call = { jsonrpc: '2.0', id: request, method: 'eth_getLogs', params: [marker, filling] }
  const isCall = tenant.kind === 'evm'
  const target = `/api=${tenant.secret}${isCall ? '' : '/x'}`
  const headers = { 'Content-Type': isCall ? 'application/json' : 'text/plain' }
  const body = isCall ? JSON.stringify(call) : `${marker}${filling}`
  return requestText('POST', target, headers, body)
}

/** Takes nothing for a while: the gateway has to hold, or to read no further. */
function dawdle({ socket }: RawClient, random: Random): void {
  if (!random.chance(0.3)) return
  socket.pause()
  setTimeout(() => socket.resume(), random.below(60))
}

/** One request after another, on one connection while it lasts. */
async function runClient(tenant: FuzzTenant, mayGoOn: () => boolean): Promise<void> {
  let client: RawClient | null = null
  while (mayGoOn()) {
    const request = ++requestCount
    const random = createRandom(seed + Math.imul(request, 0x85ebca6b))
    if (client === null || client.isClosed || random.chance(0.2)) {
      client?.destroy()
      client = await RawClient.open(gateway.port)
    }
    client.send(requestOf(tenant, request, random))
    dawdle(client, random)
    const answer = await client.answer()
    note(tenant, request, answer, client.received)
    if (answer === null || client.received !== '') {
      client.destroy()
      client = null
    }
  }
  client?.destroy()
}

function note(
  { place, node, isDemanding }: FuzzTenant,
  request: number,
  answer: Awaited<ReturnType<RawClient['answer']>>,
  rest: string
): void {
  const marker = markerOf(place, request)
  const sent = node.take(marker)
  const answers = isDemanding ? sent : sent.map((one) => ({ ...one, isWhole: false }))
  try {
    if (answer !== null && rest !== '') throw new Error(`more came than was asked for: ${rest}`)
    const verdict = judge({ marker, answers, answer, rest })
    counts[verdict] = (counts[verdict] ?? 0) + 1
  } catch (error) {
    wrongs.push(`${marker} (${sent.map(({ kind }) => kind).join(' | ')}): ${error}`)
  }
}

t.test(`whatever nodes send, each client gets its own answer or none (seed ${seed})`, async (t) => {
  t.comment(`seed ${seed}, ${seconds} s`)
  const until = Date.now() + seconds * 1000
  const mayGoOn = () => wrongs.length < 20 && (Date.now() < until || requestCount < judgedMin)
  const clients = tenants.flatMap((tenant) =>
    Array.from({ length: clientsPerTenant }, () => runClient(tenant, mayGoOn))
  )
  await Promise.all(clients)
  t.comment(`${requestCount} requests judged: ${JSON.stringify(counts)}`)
  t.same(wrongs, [])
  t.ok((counts.exact ?? 0) > requestCount / 4, 'many of the answers are whole')
  t.ok((counts['failed cleanly'] ?? 0) > 0, 'some fail')
})
