// JSON-RPC 2.0 as a node speaks it: one request or a batch in, the text of the answer out.
import { methods, RpcError } from './ledger.ts'

export interface AnswerContext {
  nowMs: number
  sizeBytes: number
  /** Called with every method name that arrives. */
  onMethod(method: string): void
  /** Answers what only a connection can (subscriptions); undefined is "not mine". */
  connection?: (method: string, params: readonly unknown[]) => unknown
}

interface Request {
  jsonrpc?: unknown
  id?: unknown
  method?: unknown
  params?: unknown
}

/** The answer's text; empty when there is nothing to answer (notifications). */
export function answerTo(body: string, context: AnswerContext): string {
  let message: unknown
  try {
    message = JSON.parse(body)
  } catch {
    return JSON.stringify(failed(null, -32700, 'parse error'))
  }
  if (!Array.isArray(message)) return textOf(answerOne(message, context))
  if (message.length === 0) return JSON.stringify(failed(null, -32600, 'empty batch'))
  const answers = message.map((item) => answerOne(item, context)).filter((item) => item !== null)
  return answers.length === 0 ? '' : JSON.stringify(answers)
}

function textOf(answer: unknown): string {
  return answer === null ? '' : JSON.stringify(answer)
}

/** Null for a notification. */
function answerOne(message: unknown, context: AnswerContext): unknown {
  const { id, method, params = [] } = (message ?? {}) as Request
  if (typeof method !== 'string') return failed(id ?? null, -32600, 'invalid request')
  context.onMethod(method)
  if (id === undefined) return null
  if (!Array.isArray(params)) return failed(id, -32602, 'non-array args')
  try {
    return { jsonrpc: '2.0', id, result: resultOf(method, params, context) }
  } catch (error) {
    if (error instanceof RpcError) return failed(id, error.code, error.message, error.data)
    throw error
  }
}

function resultOf(method: string, params: readonly unknown[], context: AnswerContext): unknown {
  const known = methods.get(method)
  if (known !== undefined) {
    return known({ params, nowMs: context.nowMs, sizeBytes: context.sizeBytes })
  }
  const result = context.connection?.(method, params)
  if (result === undefined) {
    throw new RpcError(-32601, `the method ${method} does not exist/is not available`)
  }
  return result
}

function failed(id: unknown, code: number, message: string, data?: string): unknown {
  return {
    jsonrpc: '2.0',
    id,
    error: { code, message, ...(data === undefined ? {} : { data }) }
  }
}
