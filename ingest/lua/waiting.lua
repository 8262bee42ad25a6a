#!lua flags=no-writes,allow-oom
-- What is queued, with its payload there, or spilled: one page by acceptance number, of both together.
-- ARGV: least acceptance, the first beyond, how many of each at most.
-- Answers {where the next page begins or '', batch, acceptance, state, source, dialect, rows, accepted at, ...}.
local low, high, most = ARGV[1], '(' .. ARGV[2], tonumber(ARGV[3])
local lists, upto = {}, nil
for _, name in ipairs({ 'queued', 'spilled' }) do
  local ids = call('ZRANGE', name, low, high, 'BYSCORE', 'LIMIT', 0, most)
  lists[name] = ids
  if #ids == most then
    -- The other list may reach further: what lies behind this place is for the next page.
    local last = tonumber(call('ZSCORE', name, ids[most]))
    upto = math.min(upto or last, last)
  end
end

local answer = { upto and exact(upto + 1) or '' }
for name, ids in pairs(lists) do
  for _, id in ipairs(ids) do
    local known = call('HMGET', 'm:' .. id, 'a', 's', 'f', 'l', 'r', 't')
    local there = known[1] and (known[2] == 'p' or known[2] == 'q')
    if there and name == 'queued' then
      there = call('EXISTS', 'b:' .. id) == 1
    end
    if there and (not upto or tonumber(known[1]) <= upto) then
      local at = #answer
      answer[at + 1] = id
      for n = 1, 6 do
        answer[at + 1 + n] = known[n]
      end
    end
  end
end
return answer
