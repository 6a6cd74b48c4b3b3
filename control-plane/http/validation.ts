// The one judge of input: typebox, strict. Nothing is coerced in a body, nothing unknown is dropped in silence; in a
// query string or a path, where everything is text, plain decimal integers become numbers and nothing else changes.
import type { FastifySchemaCompiler, FastifySchemaValidationError } from 'fastify'
import type { TSchema } from 'typebox'
import { Compile } from 'typebox/compile'
import type { InputProblem } from '../errors.ts'

interface SchemaNode {
  type?: unknown
  description?: string
  properties?: Record<string, SchemaNode>
  items?: SchemaNode
  enum?: readonly unknown[]
  anyOf?: readonly { const?: unknown }[]
}

export const compileValidator: FastifySchemaCompiler<TSchema> = ({ schema, httpPart }) => {
  const compiled = Compile(schema)
  return (input: unknown) => {
    const isText = httpPart === 'querystring' || httpPart === 'params'
    const value = isText ? readIntegers(schema, input) : input
    if (compiled.Check(value)) return { value }
    const error = compiled.Errors(value).map((problem) => ({
      ...problem,
      message: messageOf(problem.keyword, problem.message, nodeAt(schema, problem.instancePath))
    }))
    // Fastify takes the list and makes one FST_ERR_VALIDATION of it; its typing knows only Error.
    return { error: error as unknown as Error }
  }
}

/** What Fastify's validation error says, as the API tells it: one entry for each field, in the order found. */
export function toInputProblems(
  found: readonly FastifySchemaValidationError[],
  part: InputProblem['in']
): InputProblem[] {
  const details = new Map<string, string>()
  const add = (pointer: string, detail: string) => {
    if (!details.has(pointer)) details.set(pointer, detail)
  }
  for (const problem of found) {
    const { instancePath, keyword, params } = problem
    // The schema of a member that is not known is `false`. There may be more of them than the validator lists.
    if (keyword === 'boolean') add(instancePath, 'is not known here')
    else if (keyword === 'required') {
      for (const name of namesOf(params.requiredProperties)) {
        add(`${instancePath}/${escapePointer(name)}`, 'is required')
      }
    } else if (keyword === 'additionalProperties') {
      for (const name of namesOf(params.additionalProperties)) {
        add(`${instancePath}/${escapePointer(name)}`, 'is not known here')
      }
    } else add(instancePath, problem.message ?? 'is not valid')
  }
  return [...details].map(([pointer, detail]) => ({ in: part, pointer: `#${pointer}`, detail }))
}

function readIntegers(schema: SchemaNode, input: unknown): unknown {
  const query = { ...(input as Record<string, unknown>) }
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    const text = query[name]
    if (
      property.type === 'integer' &&
      typeof text === 'string' &&
      /^(?:0|-?[1-9]\d{0,14})$/.test(text)
    ) {
      query[name] = Number(text)
    }
  }
  return query
}

/** A pattern means nothing to a reader: the field's own description says what it takes. Of a choice, the choices do. */
function messageOf(keyword: string, message: string, node: SchemaNode | undefined): string {
  const choices = node === undefined ? [] : choicesOf(node)
  if (choices.length > 0) return `must be ${choices.join(' or ')}`
  const tellsNothing = keyword === 'pattern' || keyword === '~refine'
  return tellsNothing && node?.description !== undefined ? `must be ${node.description}` : message
}

/** The values that a node takes, when they are told one by one. */
function choicesOf(node: SchemaNode): unknown[] {
  const told = node.enum ?? (node.anyOf ?? []).map((one) => one.const)
  return told.every((value) => value !== undefined) ? [...told] : []
}

function nodeAt(schema: SchemaNode, pointer: string): SchemaNode | undefined {
  let node: SchemaNode | undefined = schema
  for (const name of pointer.split('/').slice(1)) {
    node = node?.properties?.[name] ?? node?.items
  }
  return node
}

function namesOf(list: unknown): string[] {
  return Array.isArray(list) ? list.map(String) : []
}

function escapePointer(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1')
}
