#!lua flags=allow-oom
-- Handed back by its owner, which is no death. ARGV: owner, delay in ms, batch, ...
local owner, delay_ms = ARGV[1], tonumber(ARGV[2])
local back = 0
for at = 3, #ARGV do
  local id = ARGV[at]
  if call('HGET', 'm:' .. id, 'o') == owner then
    back = back + 1
    if delay_ms > 0 then
      call('HDEL', 'm:' .. id, 'o')
      call('ZADD', 'leases', exact(now_ms() + delay_ms), id)
    else
      come_back(id, false)
    end
  end
end
return back
