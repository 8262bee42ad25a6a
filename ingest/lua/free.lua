#!lua flags=allow-oom
-- A restarted owner's old leases, each a death. All leases are looked at: they are few, and starts are rare.
-- ARGV: owner.
local back = 0
for _, id in ipairs(call('ZRANGE', 'leases', 0, -1)) do
  if call('HGET', 'm:' .. id, 'o') == ARGV[1] then
    back = back + 1
    come_back(id, true)
  end
end
return back
