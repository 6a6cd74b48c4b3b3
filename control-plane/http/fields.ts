// Fields that several resources share, with the words that a reader of the API sees when one is wrong.
import Type, { type Static, type TSchema } from 'typebox'

/** `{ type: ['integer', 'null'], … }`: one schema node, so that a wrong value is told once and not as a failed union. */
export const nullable = <T extends TSchema & { type: string }>(schema: T) =>
  Type.Unsafe<Static<T> | null>({ ...schema, type: [schema.type, 'null'] })

// Neither control characters nor half characters, nor what turns the direction of the text around it.
const plain = '[^\\p{Cc}\\p{Cs}\\u061c\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069]'
// Fillers (U+3164 and others) and the blank of Braille are letters and symbols that nobody sees.
const visible = '[^\\p{C}\\p{Z}\\p{Default_Ignorable_Code_Point}\\u2800]'

/** What a person calls something: 1 to 100 characters, at least one of them visible. */
export const label = (description: string) =>
  Type.String({
    minLength: 1,
    maxLength: 100,
    pattern: `^(?=.*${visible})${plain}*$`,
    description: `${description}: 1 to 100 characters, without control characters`
  })

export const moment = (description: string) => Type.String({ format: 'date-time', description })

/** An id in a path. Its form is not told apart from one that names nothing. */
export const idParam = (description: string) =>
  Type.String({ pattern: '^[0-9A-Za-z_-]{1,64}$', description })

export const changeId = Type.Integer({
  description: 'the change to ask `GET /v1/changes/{id}` for: whether every gateway has applied it'
})

export const noContent = Type.Null({ description: 'Done.' })
