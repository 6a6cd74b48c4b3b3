// What changes × what is under way: each pair has one right outcome. Up to the moment when body and key are both there, a
// request is judged by what is in force then; from there on it is admitted and charged, and finishes.
import { eq, gte } from 'drizzle-orm'
import t, { type Test } from 'tap'
import { hashApiKey } from '../../drizzle/api-key.ts'
import { gatewayNodes } from '../../drizzle/schema/index.ts'
import { createTestDatabase } from '../../drizzle/test/support/test-database.ts'
import { type Case, changes, columns, type State, states, table } from './support/changes.ts'
import { startDatabaseProxy } from './support/database-proxy.ts'
import { type GatewayProcess, startGateway, until } from './support/gateway-process.ts'
import { type RawAnswer, RawClient, requestText, sendRaw } from './support/raw-client.ts'
import { answerText, startRawUpstream } from './support/raw-upstream.ts'
import { createTenant } from './support/tenant.ts'

const body = '{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}'
/** More than all buffers between the upstream and a client that reads would keep back. */
const result = '7'.repeat(1_000_000)
const large = answerText(`{"jsonrpc":"2.0","id":1,"result":"${result}"}`)
const half = large.length / 2

const db = await createTestDatabase()
const proxy = await startDatabaseProxy(db.url)
const start = (nodeId: string) =>
  startGateway({
    databaseUrl: proxy.url,
    env: {
      NODE_ID: nodeId,
      CHANGE_POLL_MS: '10',
      UPSTREAM_CONNECTIONS_MAX: '1',
      DRAIN_TIMEOUT_MS: '30000'
    }
  })
const shared = await start('shared')
t.teardown(async () => {
  await shared.stop()
  await proxy.stop()
  await db.drop()
})

/** Resolves when every thread of the node has applied the change: proven by the node itself. */
async function applied(nodeId: string, changeId: number): Promise<void> {
  await until(async () => {
    const nodes = await db.database.orm
      .select()
      .from(gatewayNodes)
      .where(gte(gatewayNodes.appliedChangeId, changeId))
    return nodes.some((node) => node.nodeId === nodeId)
  })
}

/** A tenant with two upstreams of its own; the first holds its answers once it is told to. */
async function prepare(t: Test, gateway: GatewayProcess, nodeId: string, isSmall: boolean) {
  const first = await startRawUpstream()
  const second = await startRawUpstream()
  t.teardown(() => Promise.all([first.stop(), second.stop()]))
  const burst = isSmall ? 1 : 100
  const tenant = await createTenant(db.database, {
    upstreamUrl: first.url,
    chain: { methodWeights: { eth_chainId: 2 } },
    endpoint: { requestsPerSecond: burst, burst }
  })
  // What the gateway hears later would make it look the key up anew.
  await applied(nodeId, await tenant.updateOrg({ name: 'Acme' }))
  const open = async () => {
    const client = await RawClient.open(gateway.port)
    t.teardown(() => client.destroy())
    return client
  }
  const call = requestText('POST', `/api=${tenant.secret}`, {}, body)
  return { gateway, first, second, tenant, open, call, database: db.database }
}

type Prepared = Awaited<ReturnType<typeof prepare>>
type Finish = () => Promise<RawAnswer | null>

/** Resolves when the gateway has so many requests under way. */
const underWay = ({ gateway }: Prepared, count: number) =>
  until(async () => (await gateway.metric('sluice_gateway_exchanges')) === count)

/** From now on the upstream sends the first `size` bytes of its answers, and the rest when it is let go. */
function holdAnswers({ first }: Prepared, size: number): () => void {
  const waiting: (() => void)[] = []
  first.answer = (socket) => {
    socket.write(large.slice(0, size))
    waiting.push(() => socket.write(large.slice(size)))
  }
  return () => {
    first.answer = (socket) => socket.write(large)
    for (const goOn of waiting) goOn()
  }
}

async function partOfRequest(prepared: Prepared, bodyLength: number): Promise<Finish> {
  await sendRaw(prepared.gateway.port, prepared.call)
  const client = await prepared.open()
  const length = prepared.call.length - body.length + bodyLength
  client.send(prepared.call.slice(0, length))
  await underWay(prepared, 1)
  return async () => {
    client.send(prepared.call.slice(length))
    return await client.answer()
  }
}

/** Brings a request into each state; what is returned lets it go on, and resolves to its answer. */
const reach: Record<State, (prepared: Prepared, isAtOnce: boolean) => Promise<Finish>> = {
  head: (prepared) => partOfRequest(prepared, 0),
  body: (prepared) => partOfRequest(prepared, 20),
  key: async (prepared) => {
    proxy.holdAnswersTo(hashApiKey(prepared.tenant.secret).toString('hex'))
    const client = await prepared.open()
    client.send(prepared.call)
    await until(() => proxy.isHolding)
    return async () => {
      proxy.thaw()
      return await client.answer()
    }
  },
  queued: async (prepared, isAtOnce) => {
    const release = holdAnswers(prepared, 0)
    const blocker = await prepared.open()
    blocker.send(prepared.call)
    await until(() => prepared.first.requests.length === 1)
    const client = await prepared.open()
    client.send(prepared.call)
    await underWay(prepared, 2)
    return async () => {
      const early = isAtOnce ? await client.answer() : null
      release()
      if ((await blocker.answer())?.body.includes(result) !== true) throw new Error('it was cut')
      return early ?? (await client.answer())
    }
  },
  sent: async (prepared) => {
    const release = holdAnswers(prepared, 0)
    const client = await prepared.open()
    client.send(prepared.call)
    await until(() => prepared.first.requests.length === 1)
    return async () => {
      release()
      return await client.answer()
    }
  },
  streaming: async (prepared) => {
    const release = holdAnswers(prepared, half)
    const client = await prepared.open()
    client.send(prepared.call)
    await client.sees('777')
    return async () => {
      release()
      return await client.answer()
    }
  }
}

/** A word for what came: the reason of a refusal, or which upstream answered, completely. */
function outcomeOf({ first, second }: Prepared, answer: RawAnswer | null): string {
  if (answer === null) return 'cut'
  if (answer.status !== 200) {
    return `${answer.status} ${JSON.parse(answer.body).error.data.reason}`
  }
  if (second.requests.length > 0) return '200 moved'
  const isWhole = answer.body.endsWith(`${result}"}`) || answer.body.endsWith('"0x1"}')
  return isWhole && first.requests.length > 0 ? '200' : '200 in part'
}

for (const { change, outcomes } of table) {
  for (const state of states) {
    const { outcome, why } = outcomes[columns[state]]
    t.test(`${change}, ${state}: ${outcome}, because ${why}`, async (t) => {
      const isSmall = change === 'limits raised' && columns[state] === 'open'
      const prepared = await prepare(t, shared, 'shared', isSmall)
      const isAtOnce = state === 'queued' && outcome !== '200'
      const finish = await reach[state](prepared, isAtOnce)
      const { id, secret }: Case = await changes[change](prepared)
      await applied('shared', id)
      t.equal(outcomeOf(prepared, await finish()), outcome)
      if (secret === undefined) return
      const next = requestText('POST', `/api=${secret}`, {}, body)
      t.equal((await sendRaw(shared.port, next))?.status, 200, 'the new key opens')
    })
  }
}

for (const state of states) {
  t.test(`gateway drained, ${state}: it finishes, and what is new is refused`, async (t) => {
    const gateway = await start(`drained-${state}`)
    t.teardown(() => gateway.stop())
    const prepared = await prepare(t, gateway, `drained-${state}`, false)
    const kept = await prepared.open()
    const finish = await reach[state](prepared, false)
    gateway.child.kill('SIGTERM')
    await until(async () => {
      const client = await RawClient.open(gateway.port).catch(() => null)
      client?.destroy()
      return client === null
    })
    kept.send(prepared.call)
    t.equal(outcomeOf(prepared, await kept.answer()), '503 draining')
    t.equal(outcomeOf(prepared, await finish()), '200')
    t.equal(await gateway.stop(), 0)
    const [node] = await db.database.orm
      .select()
      .from(gatewayNodes)
      .where(eq(gatewayNodes.nodeId, `drained-${state}`))
    t.ok(node, 'it was a gateway of its own')
  })
}
