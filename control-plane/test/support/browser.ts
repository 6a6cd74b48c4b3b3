// A real browser, where the machine has one: Debian's package `chromium`, or Chrome. Nothing is downloaded.
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { chromium } from 'playwright-core'

const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']

/** Null where there is none. */
export function findBrowser(path: string): string | null {
  const places = path.split(delimiter).flatMap((folder) => names.map((name) => join(folder, name)))
  return places.find(isExecutable) ?? null
}

export async function openBrowser(executablePath: string) {
  // A container's user is root, for whom the sandbox does not start; the pages are our own.
  return await chromium.launch({ executablePath, args: ['--no-sandbox'] })
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}
