// What is asked of every contestant, as data. A new scenario is a new row.

export interface Scenario {
  readonly name: string
  readonly description: string
  readonly connections: number
  readonly requestBody: string
  /** Bytes of the body that the upstream answers with. */
  readonly answerBytes: number
}

const call = (method: string, params: unknown[], id = 1) => ({ jsonrpc: '2.0', method, params, id })
const blockNumber = JSON.stringify(call('eth_blockNumber', []))

/** An eth_call whose whole body has the given size. */
function ethCallOf(bytes: number): string {
  const bodyWith = (data: string) =>
    JSON.stringify(call('eth_call', [{ to: `0x${'ab'.repeat(20)}`, data }, 'latest']))
  return bodyWith(`0x${'5'.repeat(bytes - bodyWith('0x').length)}`)
}

export const scenarios: readonly Scenario[] = [
  {
    name: 'single',
    description: 'one call, 63 B up, 45 B down',
    connections: 64,
    requestBody: blockNumber,
    answerBytes: 45
  },
  {
    name: 'kilobyte',
    description: 'one call, 1 KB up, 1 KB down',
    connections: 64,
    requestBody: ethCallOf(1024),
    answerBytes: 1024
  },
  {
    name: 'batch',
    description: 'a batch of 10 calls, 641 B up, 460 B down',
    connections: 64,
    requestBody: `[${Array.from({ length: 10 }, (_, id) => JSON.stringify(call('eth_blockNumber', [], id))).join()}]`,
    answerBytes: 460
  },
  {
    name: 'megabyte',
    description: 'one call, 63 B up, 1 MB down',
    connections: 16,
    requestBody: blockNumber,
    answerBytes: 1_048_576
  }
]

/** What the project promises: `contestant` costs less than `times` what `against` costs, CPU per request. */
export interface Target {
  readonly scenario: string
  readonly contestant: string
  readonly against: string
  readonly times: number
}

export const targets: readonly Target[] = [
  { scenario: 'single', contestant: 'sluice', against: 'bare-proxy', times: 1.15 }
]
