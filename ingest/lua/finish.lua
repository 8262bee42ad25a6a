#!lua flags=allow-oom
-- Moves, each forward only; one already made, or of an acceptance that is no longer this batch's, changes
-- nothing. Whoever has the lease: the work is done. ARGV: batch, acceptance, state, ...
-- Answers how many moves were made.
local RANK = { q = 0, p = 1, s = 2, d = 2, x = 2 } -- queued, spilled, stored, duplicate, quarantined
local NAME = { p = 'spilled', s = 'stored', d = 'duplicate', x = 'quarantined' }
local now = now_ms()
local moved, drained = 0, 0

-- `0 - rows`, since `-rows` of no rows is -0, which Redis 7.0 refuses in the middle of a move.
local function leave_queue(id, source, rows, bytes)
  call('DEL', 'b:' .. id)
  call('ZREM', 'queued', id)
  if call('ZREM', 'leases', id) == 0 then
    dequeue(id, source)
  end
  local left = call('HINCRBY', 'held', 'qb:' .. source, -1)
  call('HINCRBY', 'held', 'qr:' .. source, 0 - rows)
  if left == 0 then
    call('HDEL', 'held', 'qn:' .. source) -- batches of a version that did not count bytes may have left more
  else
    call('HINCRBY', 'held', 'qn:' .. source, 0 - bytes)
  end
  drained = drained + rows
end

local function leave_spill(minute, id, source, dialect, rows)
  call('ZREM', 'spilled', id)
  count(minute, source, dialect, 'spilled', 0 - rows)
  call('HINCRBY', 'held', 'pb:' .. source, -1)
  call('HINCRBY', 'held', 'pr:' .. source, 0 - rows)
end

local function move(id, acceptance, to)
  local known = call('HMGET', 'm:' .. id, 'a', 's', 'f', 'l', 'r', 't', 'n')
  local from = known[2]
  if known[1] ~= acceptance or RANK[to] <= RANK[from] then
    return
  end
  local source, dialect, rows = known[3], known[4], tonumber(known[5])
  local minute = exact(math.floor(known[6] / 60000))
  if from == 'q' then
    leave_queue(id, source, rows, tonumber(known[7]))
  else
    leave_spill(minute, id, source, dialect, rows)
  end
  count(minute, source, dialect, NAME[to], rows)
  call('HDEL', 'm:' .. id, 'o')
  call('HSET', 'm:' .. id, 's', to)
  if to == 'p' then
    call('ZADD', 'spilled', acceptance, id)
    call('HINCRBY', 'held', 'pb:' .. source, 1)
    call('HINCRBY', 'held', 'pr:' .. source, rows)
    touch(minute, now, 0)
  else
    call('PEXPIRE', 'm:' .. id, FINAL_MS)
    touch(minute, now, -1)
  end
  moved = moved + 1
end

for at = 1, #ARGV, 3 do
  move(ARGV[at], ARGV[at + 1], ARGV[at + 2])
end

if drained > 0 then
  local bucket = math.floor(now / DRAIN_MS)
  local slot = bucket % DRAIN_SLOTS
  local was, rows = string.match(call('HGET', 'drain', slot) or '', '^(%d+):(%d+)$')
  if was == exact(bucket) then
    drained = drained + rows
  end
  call('HSET', 'drain', slot, exact(bucket) .. ':' .. exact(drained))
end
return moved
