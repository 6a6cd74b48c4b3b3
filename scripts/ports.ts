// Ports on the loopback address: whether one is free, and one that is.
import { createServer } from 'node:net'
import { Setback } from './setback.ts'

/** A port that was free a moment ago. */
export async function findFreePort(): Promise<number> {
  return await listenOnce(0, '127.0.0.1')
}

export async function isFree(port: number, host = '127.0.0.1'): Promise<boolean> {
  try {
    await listenOnce(port, host)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return false
    throw error
  }
}

/** Throws a Setback that names every port that cannot be had, and the variable that moves it. */
export async function checkPorts(
  ports: readonly { name: string; host: string; port: number }[]
): Promise<void> {
  const problems: string[] = []
  for (const { name, host, port } of ports) {
    try {
      if (await isFree(port, host)) continue
      problems.push(
        `port ${port} on ${host} is taken: end what listens there, or set ${name} to another port`
      )
    } catch (error) {
      problems.push(
        `port ${port} on ${host} cannot be used (${(error as Error).message}): set ${name} to another port`
      )
    }
  }
  if (problems.length > 0) throw new Setback(problems.join('\n'))
}

function listenOnce(port: number, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen({ port, host, exclusive: true }, () => {
      const address = server.address()
      const found = typeof address === 'object' && address !== null ? address.port : port
      server.close(() => resolve(found))
    })
  })
}
