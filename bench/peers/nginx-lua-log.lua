-- One counter for each key and status, which is what a scrape or an invoice would read.
local key = ngx.var.api_key
if key ~= "" then
  ngx.shared.counters:incr(key .. ngx.status, 1, 0)
end
