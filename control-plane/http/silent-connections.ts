// Connections over which nothing was ever sent: browsers and load balancers open them ahead of need. Node counts them as
// busy when a server closes, so a stop would wait for them until its time is up; here they are closed first.
import type { Socket } from 'node:net'
import type { App } from './app-type.ts'

export function registerSilentConnections(app: App): void {
  const connections = new Set<Socket>()
  app.server.on('connection', (socket) => {
    connections.add(socket)
    socket.once('close', () => connections.delete(socket))
  })
  app.addHook('preClose', async () => {
    for (const socket of connections) if (socket.bytesRead === 0) socket.destroy()
  })
}
