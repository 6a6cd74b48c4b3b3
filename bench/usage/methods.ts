// What the keys of a usage bench call.
export const methods: readonly string[] = [
  'eth_call',
  'eth_blockNumber',
  'eth_getBalance',
  'eth_getLogs',
  'eth_getBlockByNumber',
  'eth_getTransactionReceipt'
]
