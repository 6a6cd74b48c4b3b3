-- /api=<key>/<rest>: the key is looked up, a token taken from its bucket, and /<rest> asked of the upstream.
--
-- The bucket is one number, the moment at which it will be full again, as in Sluice: one get and one set of a shared
-- dictionary. Like lua-resty-limit-traffic, it is not exact with several workers.
local sub, find, tonumber = string.sub, string.find, tonumber
local now = ngx.now
local keys, buckets = ngx.shared.keys, ngx.shared.buckets

local var = ngx.var
local uri = var.uri
local slash = find(uri, "/", 6, true)
local key = slash and sub(uri, 6, slash - 1) or sub(uri, 6)

local limits = keys:get(key)
if not limits then
  return ngx.exit(401)
end
var.api_key = key

local divider = find(limits, "/", 1, true)
local token_seconds = 1 / tonumber(sub(limits, 1, divider - 1))
local burst_seconds = tonumber(sub(limits, divider + 1)) * token_seconds
local time = now()
local full_at = buckets:get(key)
if not full_at or full_at < time then
  full_at = time
end
full_at = full_at + token_seconds
if full_at > time + burst_seconds then
  return ngx.exit(429)
end
buckets:set(key, full_at)

ngx.req.set_uri(slash and sub(uri, slash) or "/")
