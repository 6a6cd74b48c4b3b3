// Chains and their upstream nodes. Every user may read which chains there are; the operator alone changes them and sees
// which nodes serve them, and nobody sees a node's whole URL again.
import { actOf } from '../audit/audit-entry.ts'
import type { Clock } from '../clock.ts'
import { Failure, invalidFields } from '../errors.ts'
import type { Actor } from '../http/app-type.ts'
import type { PageRequest } from '../http/page.ts'
import type { ChainRepo, ChainRow, UpstreamRow } from './repo.ts'
import { publicFormOfUrl, readUpstreamUrl } from './upstream-url.ts'

export const upstreamsPerChainMax = 50

export interface ChainServiceDeps {
  repo: ChainRepo
  clock: Clock
  newId: (prefix: 'chn' | 'ups') => string
  /** Bound to the upstream's id. */
  secretBox: {
    seal(plain: string, context: string): Buffer
    open(box: Buffer, context: string): string
  }
}

export interface UpstreamInput {
  name: string
  url: string
}
export interface ChainInput {
  name: string
  kind: ChainRow['kind']
  method_weights?: Record<string, number>
  upstreams?: readonly UpstreamInput[]
}

export interface UpstreamView extends UpstreamRow {
  /** Scheme and host. */
  publicUrl: string
}
export interface ChainView {
  chain: ChainRow
  /** Null for who is not the operator. */
  upstreams: UpstreamView[] | null
}
export interface Changed<T> {
  changed: T
  changeId: number
}

export type ChainService = ReturnType<typeof createChainService>

export function createChainService(deps: ChainServiceDeps) {
  return { ...chainActs(deps), ...upstreamActs(deps) }
}

function chainActs(deps: ChainServiceDeps) {
  const { repo, clock, newId } = deps
  const requireChain = (idOrName: string) => findChain(deps, idOrName)

  async function viewsOf(actor: Actor, rows: readonly ChainRow[]): Promise<ChainView[]> {
    if (!actor.isOperator) return rows.map((chain) => ({ chain, upstreams: null }))
    const nodes = await repo.loadUpstreams(rows.map((chain) => chain.id))
    return rows.map((chain) => ({
      chain,
      upstreams: nodes.filter((node) => node.chainId === chain.id).map((node) => view(deps, node))
    }))
  }

  async function viewOf(actor: Actor, chain: ChainRow): Promise<ChainView> {
    const [found] = await viewsOf(actor, [chain])
    if (found === undefined) throw new Failure('not_found')
    return found
  }

  return {
    requireChain,

    /** One more than the page holds, when there is one. */
    async list(actor: Actor, page: PageRequest): Promise<ChainView[]> {
      return await viewsOf(actor, await repo.list(page))
    },

    async read(actor: Actor, idOrName: string): Promise<ChainView> {
      return await viewOf(actor, await requireChain(idOrName))
    },

    async create(actor: Actor, input: ChainInput): Promise<Changed<ChainView>> {
      const now = clock()
      const { name, kind, method_weights: methodWeights = {}, upstreams = [] } = input
      const chain = { id: newId('chn'), name, kind, methodWeights, createdAt: now, updatedAt: now }
      const nodes = upstreams.map((node, index) =>
        newUpstream(deps, chain.id, node, `#/upstreams/${index}/url`)
      )
      const audit = actOf(actor, 'chain.create', { targetId: chain.id, detail: { name, kind } })
      const changeId = unlessTaken(await repo.create(chain, nodes, audit), name)
      return { changed: { chain, upstreams: nodes.map((node) => view(deps, node)) }, changeId }
    },

    async update(
      actor: Actor,
      idOrName: string,
      change: { name?: string; method_weights?: Record<string, number> }
    ): Promise<Changed<ChainView>> {
      const chain = await requireChain(idOrName)
      const audit = actOf(actor, 'chain.update', { targetId: chain.id, detail: { ...change } })
      const now = clock()
      const { name, method_weights: methodWeights } = change
      // Only what is named: a change of the other field at the same moment must not be undone.
      const outcome = unlessGone(await repo.update(chain.id, { name, methodWeights }, audit, now))
      const changeId = unlessTaken(outcome, name ?? chain.name)
      return { changed: await viewOf(actor, await requireChain(chain.id)), changeId }
    },

    async remove(actor: Actor, idOrName: string): Promise<Changed<ChainRow>> {
      const chain = await requireChain(idOrName)
      const detail = { name: chain.name }
      const audit = actOf(actor, 'chain.delete', { targetId: chain.id, detail })
      const outcome = unlessGone(await repo.remove(chain.id, audit, clock()))
      if (outcome === 'in_use') {
        throw new Failure('chain_in_use', {
          detail: `Endpoints on ${chain.name} must be deleted first.`
        })
      }
      return { changed: chain, changeId: outcome }
    }
  }
}

function upstreamActs(deps: ChainServiceDeps) {
  const { repo, clock, secretBox } = deps

  return {
    async createUpstream(
      actor: Actor,
      chain: string,
      input: UpstreamInput
    ): Promise<Changed<UpstreamView>> {
      const { id: chainId } = await findChain(deps, chain)
      const node = newUpstream(deps, chainId, input, '#/url')
      const detail = { chain_id: chainId, name: input.name }
      const audit = actOf(actor, 'upstream.create', { targetId: node.id, detail })
      const outcome = await repo.createUpstream(node, upstreamsPerChainMax, audit)
      if (outcome === 'gone') throw new Failure('not_found')
      if (outcome === 'limit_reached') {
        throw new Failure('limit_reached', {
          detail: `A chain may have ${upstreamsPerChainMax} upstreams.`
        })
      }
      return { changed: view(deps, node), changeId: outcome }
    },

    async updateUpstream(
      actor: Actor,
      chain: string,
      id: string,
      change: Partial<UpstreamInput>
    ): Promise<Changed<UpstreamView>> {
      const node = await findUpstream(deps, chain, id)
      const { name } = change
      const url =
        change.url === undefined
          ? undefined
          : secretBox.seal(requireUrl(change.url, '#/url'), node.id)
      const detail = { chain_id: node.chainId, fields: Object.keys(change) }
      const audit = actOf(actor, 'upstream.update', { targetId: id, detail })
      const changeId = unlessGone(await repo.updateUpstream(node, { name, url }, audit, clock()))
      return { changed: view(deps, await findUpstream(deps, chain, id)), changeId }
    },

    async removeUpstream(actor: Actor, chain: string, id: string): Promise<Changed<UpstreamRow>> {
      const node = await findUpstream(deps, chain, id)
      const detail = { chain_id: node.chainId, name: node.name }
      const audit = actOf(actor, 'upstream.delete', { targetId: id, detail })
      return {
        changed: node,
        changeId: unlessGone(await repo.removeUpstream(node, audit, clock()))
      }
    }
  }
}

async function findChain({ repo }: ChainServiceDeps, idOrName: string): Promise<ChainRow> {
  const chain = await repo.find(idOrName)
  if (chain === null) throw new Failure('not_found')
  return chain
}

async function findUpstream(
  deps: ChainServiceDeps,
  chain: string,
  id: string
): Promise<UpstreamRow> {
  const { id: chainId } = await findChain(deps, chain)
  const node = await deps.repo.findUpstream(chainId, id)
  if (node === null) throw new Failure('not_found')
  return node
}

function newUpstream(
  { newId, clock, secretBox }: ChainServiceDeps,
  chainId: string,
  input: UpstreamInput,
  pointer: string
): UpstreamRow {
  const id = newId('ups')
  const now = clock()
  const url = secretBox.seal(requireUrl(input.url, pointer), id)
  return { id, chainId, name: input.name, url, createdAt: now, updatedAt: now }
}

function view({ secretBox }: ChainServiceDeps, node: UpstreamRow): UpstreamView {
  return { ...node, publicUrl: publicFormOfUrl(secretBox.open(node.url, node.id)) }
}

function requireUrl(text: string, pointer: string): string {
  const read = readUpstreamUrl(text)
  if ('problem' in read) throw invalidFields([{ pointer, detail: read.problem }])
  return read.url
}

/** What somebody else removed meanwhile is not there, and nothing has happened to it. */
function unlessGone<T>(outcome: T | 'gone'): T {
  if (outcome === 'gone') throw new Failure('not_found')
  return outcome
}

function unlessTaken(outcome: number | 'name_taken', name: string): number {
  if (outcome === 'name_taken') {
    throw new Failure('name_taken', { detail: `There is a chain called ${name}.` })
  }
  return outcome
}
