// Which passwords are refused because somebody who guesses would try them early (NIST SP 800-63B 3.1.1.2, OWASP ASVS 6.2.4
// and 6.2.11): the common ones, with or without digits around them, what is known about who chooses, and what is no more
// than a run over the keyboard. No rules about kinds of characters: they make passwords worse.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Characters beyond what is known or common; fewer are no more than a decoration. */
const ownCharactersMin = 6
/** Different characters, and steps that are not to a neighbour: fewer are a pattern. */
const differentMin = 5
const turnsMin = 4
/** Shorter words are found in good passwords by chance. */
const knownWordMin = 4

const common = new Set(
  readFileSync(join(import.meta.dirname, 'common-passwords.txt'), 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('# '))
)
const productWords = ['sluice', 'gateway']
const rows = [
  'abcdefghijklmnopqrstuvwxyz',
  '01234567890',
  'qwertyuiopasdfghjklzxcvbnm',
  '1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p'
]

/**
 * Why a password is refused, in words that follow its name; null when it is not.
 * @param words what is known about who chooses it, such as the address and the names
 */
export function whyGuessable(password: string, words: readonly string[] = []): string | null {
  const folded = password.normalize('NFKC').toLowerCase()
  if (isPattern(folded)) return 'must not be a pattern, such as 123456789012 or qwertyuiopas'
  if (isCommon(folded)) return 'is one of the passwords that are guessed first'
  const rest = without(folded, [...partsOf(words), ...productWords])
  if (rest.length < folded.length && lettersOf(rest) < ownCharactersMin) {
    return 'must not be made of your name, your address or the name of this service'
  }
  return null
}

/** In the list as it is, twice over, or with digits and signs around it. */
function isCommon(text: string): boolean {
  const core = text.replace(/^[^\p{L}]+|[^\p{L}]+$/gu, '')
  const unit = /^(.{2,}?)\1+$/su.exec(text)?.[1]
  const plain = unit ?? text
  return common.has(text) || common.has(core) || common.has(plain)
}

function isPattern(text: string): boolean {
  const characters = [...text]
  if (new Set(characters).size < differentMin) return true
  let turns = 0
  for (let place = 1; place < characters.length; place++) {
    const pair = `${characters[place - 1]}${characters[place]}`
    const back = `${characters[place]}${characters[place - 1]}`
    if (!rows.some((row) => row.includes(pair) || row.includes(back))) turns++
  }
  return turns < turnsMin
}

/** `ann.miller@mail.com` → itself, `ann.miller`, `annmiller`, `miller`, `mail.com`, …; the longest first. */
function partsOf(words: readonly string[]): string[] {
  const folded = words.map((word) => word.normalize('NFKC').toLowerCase())
  const sides = folded.flatMap((word) => [word, ...word.split('@')])
  const parts = sides.flatMap((side) => [
    side,
    side.replace(/[^\p{L}\p{N}]/gu, ''),
    ...side.split(/[^\p{L}\p{N}]+/u)
  ])
  return [...new Set(parts)]
    .filter((part) => part.length >= knownWordMin)
    .sort((one, other) => other.length - one.length)
}

function without(text: string, words: readonly string[]): string {
  return words.reduce((rest, word) => rest.replaceAll(word, ''), text)
}

function lettersOf(text: string): number {
  return text.replace(/[^\p{L}\p{N}]/gu, '').length
}
