// The only importer of uWebSockets.js, so that another version or another packaging of it is a one-line change.
// The limit on the size of a request's head is an environment variable that uWS reads once, when it loads: the main
// thread sets it (see config.ts) before any thread imports this file.
import uws from '@uwsjs/core'

export type { HttpRequest, HttpResponse, TemplatedApp, us_listen_socket } from '@uwsjs/core'

export const createApp = uws.App
export const closeListenSocket = uws.us_listen_socket_close

// Answers do not say what serves them (`_cfg` is not in the typings).
;(uws as unknown as { _cfg(key: string): void })._cfg('silent')
