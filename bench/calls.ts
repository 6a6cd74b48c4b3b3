// The JSON-RPC bodies that the bench sends.

const call = (method: string, params: unknown[], id = 1) => ({ jsonrpc: '2.0', method, params, id })

export const blockNumber = JSON.stringify(call('eth_blockNumber', []))

/** A batch of so many. */
export const blockNumbers = (count: number): string =>
  JSON.stringify(Array.from({ length: count }, (_, id) => call('eth_blockNumber', [], id)))

/** An eth_call whose whole body has the given size, in bytes. */
export function ethCallOf(bytes: number): string {
  const bodyWith = (data: string) =>
    JSON.stringify(call('eth_call', [{ to: `0x${'ab'.repeat(20)}`, data }, 'latest']))
  return bodyWith(`0x${'5'.repeat(bytes - bodyWith('0x').length)}`)
}
