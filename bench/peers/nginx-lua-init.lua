-- Fills the dictionary of keys: `<key> <requests per second> <burst>` a line.
local keys = ngx.shared.keys
for line in io.lines("{{keysFile}}") do
  local key, rate, burst = line:match("^(%S+) (%d+) (%d+)$")
  assert(keys:safe_set(key, rate .. "/" .. burst))
end
