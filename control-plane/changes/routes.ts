// Changes over HTTP.
import { type App, actorOf } from '../http/app-type.ts'
import * as schema from './schema.ts'
import type { ChangeService } from './service.ts'

export function registerChangeRoutes(app: App, { changes }: { changes: ChangeService }): void {
  app.get(
    '/v1/changes/:change',
    { schema: schema.readChangeRoute, config: { access: 'user' } },
    async (request) => {
      const { change } = request.params
      return schema.presentChange(await changes.read(actorOf(request), change))
    }
  )
}
