// What the demo chain answers. Everything is derived from the clock and from the question, so the chain has a history
// without storing one: the same question about the same block has the same answer, and a new block comes every 2 s.
import { createHash } from 'node:crypto'

export const chainId = 1337
export const blockTimeMs = 2000
/** 2024-01-01: the chain has grown ever since, whether a node of it ran or not. */
const genesisMs = Date.UTC(2024, 0, 1)
const logBytes = 460
const logsByDefault = 2

/** A JSON-RPC error of the node. */
export class RpcError extends Error {
  override name = 'RpcError'
  readonly code: number
  readonly data: string | undefined
  constructor(code: number, message: string, data?: string) {
    super(message)
    this.code = code
    this.data = data
  }
}

export interface Question {
  params: readonly unknown[]
  nowMs: number
  sizeBytes: number
}

/** Block height at a moment. */
export function heightAt(nowMs: number): number {
  return Math.floor((nowMs - genesisMs) / blockTimeMs)
}

const word = (text: string) => `0x${createHash('sha256').update(text).digest('hex')}`
const hex = (value: number | bigint) => `0x${value.toString(16)}`

const addressPattern = /^0x[0-9a-fA-F]{40}$/
const bytesPattern = /^0x([0-9a-fA-F]{2})*$/
const numberPattern = /^0x(0|[1-9a-fA-F][0-9a-fA-F]{0,12})$/
/** Calls to it revert. */
const revertingAddress = '0x000000000000000000000000000000000000dead'
// Error(string) "the demo chain reverts calls to dead", ABI-encoded.
const revertData = `0x08c379a0${hexWord(32)}${hexWord(36)}${Buffer.from('the demo chain reverts calls to dead').toString('hex').padEnd(128, '0')}`

type Method = (question: Question) => unknown

/** Every method that one answer settles; subscriptions live on the WebSocket. */
export const methods: ReadonlyMap<string, Method> = new Map<string, Method>([
  ['web3_clientVersion', () => 'SluiceDemoChain/1.0'],
  ['net_version', () => String(chainId)],
  ['eth_chainId', () => hex(chainId)],
  ['eth_syncing', () => false],
  ['eth_gasPrice', () => hex(1_000_000_000)],
  ['eth_maxPriorityFeePerGas', () => hex(100_000_000)],
  ['eth_estimateGas', () => hex(21_000)],
  ['eth_blockNumber', ({ nowMs }) => hex(heightAt(nowMs))],
  ['eth_getBalance', ({ params }) => hex(BigInt(word(address(params[0]))) >> 188n)],
  ['eth_getTransactionCount', ({ params }) => hex(BigInt(word(address(params[0]))) >> 248n)],
  ['eth_getCode', ({ params }) => (address(params[0]) === revertingAddress ? '0xfe' : '0x')],
  ['eth_call', ({ params }) => call(params[0])],
  ['eth_getLogs', logs],
  ['eth_getBlockByNumber', ({ params, nowMs }) => blockByTag(params[0], nowMs)],
  ['eth_sendRawTransaction', ({ params }) => word(bytes(params[0]))]
])

/** The block at a height, in the shape that every client library parses. */
export function blockAt(height: number): Record<string, unknown> {
  return {
    number: hex(height),
    hash: word(`block ${height}`),
    parentHash: height === 0 ? `0x${hexWord(0)}` : word(`block ${height - 1}`),
    nonce: '0x0000000000000000',
    sha3Uncles: word('no uncles'),
    logsBloom: `0x${'0'.repeat(512)}`,
    transactionsRoot: word(`transactions ${height}`),
    stateRoot: word(`state ${height}`),
    receiptsRoot: word(`receipts ${height}`),
    mixHash: word(`mix ${height}`),
    miner: `0x${'0'.repeat(40)}`,
    difficulty: '0x0',
    totalDifficulty: '0x0',
    extraData: '0x',
    size: '0x220',
    gasLimit: hex(30_000_000),
    gasUsed: '0x0',
    baseFeePerGas: hex(1_000_000_000),
    timestamp: hex(Math.floor((genesisMs + height * blockTimeMs) / 1000)),
    transactions: [],
    uncles: []
  }
}

function blockByTag(tag: unknown, nowMs: number): Record<string, unknown> | null {
  const latest = heightAt(nowMs)
  if (tag === 'earliest') return blockAt(0)
  if (tag === 'latest' || tag === 'pending' || tag === 'safe' || tag === 'finalized')
    return blockAt(latest)
  if (typeof tag !== 'string' || !numberPattern.test(tag)) {
    throw new RpcError(-32602, 'invalid argument 0: a block number or tag is needed')
  }
  const height = Number(tag)
  return height > latest ? null : blockAt(height)
}

function call(transaction: unknown): string {
  const { to, data, input } = (transaction ?? {}) as {
    to?: unknown
    data?: unknown
    input?: unknown
  }
  const target = address(to)
  if (target === revertingAddress) {
    throw new RpcError(3, 'execution reverted: the demo chain reverts calls to dead', revertData)
  }
  return word(`call ${target} ${String(data ?? input ?? '')}`)
}

function logs({ nowMs, sizeBytes }: Question): unknown[] {
  const height = heightAt(nowMs)
  const count = sizeBytes === 0 ? logsByDefault : Math.ceil(sizeBytes / logBytes)
  const blockHash = word(`block ${height}`)
  const topic = word('Transfer(address,address,uint256)')
  return Array.from({ length: count }, (_, index) => ({
    address: `0x${'ab'.repeat(20)}`,
    topics: [topic],
    data: `0x${hexWord(index)}`,
    blockNumber: hex(height),
    blockHash,
    transactionHash: `0x${hexWord(height)}`,
    transactionIndex: '0x0',
    logIndex: hex(index),
    removed: false
  }))
}

function address(value: unknown): string {
  if (typeof value !== 'string' || !addressPattern.test(value)) {
    throw new RpcError(-32602, 'invalid argument 0: an address of 20 bytes is needed')
  }
  return value.toLowerCase()
}

function bytes(value: unknown): string {
  if (typeof value !== 'string' || !bytesPattern.test(value) || value === '0x') {
    throw new RpcError(-32602, 'invalid argument 0: hex bytes are needed')
  }
  return value
}

function hexWord(value: number): string {
  return value.toString(16).padStart(64, '0')
}
