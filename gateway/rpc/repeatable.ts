// Which calls may be sent a second time when it is unknown whether the first one arrived. Only those that are known to
// change nothing, neither on the chain (`eth_sendRawTransaction`) nor in the node (`eth_getFilterChanges` empties the
// filter): a method that is not known here is not repeated.

const readers =
  /^(?:eth_(?:accounts|blobBaseFee|blockNumber|call|chainId|createAccessList|estimateGas|feeHistory|gasPrice|getAccount|getBalance|getBlock\w*|getCode|getLogs|getProof|getStorageAt|getTransaction\w*|getUncle\w*|maxPriorityFeePerGas|protocolVersion|simulateV1|syncing)|net_(?:listening|peerCount|version)|web3_(?:clientVersion|sha3)|(?:debug|trace)_(?:trace\w*|block|call|callMany|filter|get|getRaw\w*|replay\w*|transaction)|erigon_get\w+|ots_\w+|rpc_modules|txpool_(?:content|inspect|status)\w*)$/

export function isRepeatable(method: string): boolean {
  return readers.test(method)
}
