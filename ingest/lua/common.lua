-- Put in front of every script by ingest/broker.py. The keys are explained at the head of ingest/buffer.py.
local call = redis.call

local HINT_MS = 1000 -- a hint not followed by a claim within this time counts as lost
local HINTS_MOST = 32 -- hints lying in Celery's queue; more would wake nobody
local FINAL_MS = 60000 -- how long a batch in a final state is still known
local MINUTE_KEPT_S = 86400 -- counted from the end of the minute's last batch
local DRAIN_MS, DRAIN_SLOTS = 5000, 12

local function now_ms()
  local t = call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

-- Lua would print a number above 10^14 with 14 digits only.
local function exact(number)
  return string.format('%.0f', number)
end

-- Into its source's line at the place its acceptance number gives it. `ring` holds a source exactly while its
-- line has somebody in it, the least served first. One that was away begins where the others are, not where it
-- left off, and with what it was served then: absence earns no credit, and coming back wipes nothing out.
local function enqueue(id, source, acceptance)
  local due = 'due:' .. source
  call('ZADD', due, acceptance, id)
  if call('ZCARD', due) == 1 then
    local others = tonumber(call('GET', 'served') or 0)
    local own = tonumber(call('HGET', 'tags', source) or 0)
    call('ZADD', 'ring', exact(math.max(others, own)), source)
  end
end

local function dequeue(id, source)
  local due = 'due:' .. source
  if call('ZREM', due, id) == 1 and call('EXISTS', due) == 0 then
    call('ZREM', 'ring', source)
  end
end

-- From `leases` back into line. Only one that had an owner has died; a delayed one simply waited.
local function come_back(id, died)
  local known = call('HMGET', 'm:' .. id, 'f', 'a', 'o')
  call('ZREM', 'leases', id)
  if not known[1] then
    return
  end
  if known[3] then
    call('HDEL', 'm:' .. id, 'o')
    if died then
      call('HINCRBY', 'm:' .. id, 'd', 1)
    end
  end
  enqueue(id, known[1], known[2])
end

-- True when the caller, and nobody else, has to send a hint now.
local function take_hint()
  if call('LLEN', 'ingest') >= HINTS_MOST then
    return false
  end
  return call('SET', 'hinted', 1, 'NX', 'PX', HINT_MS) ~= false
end

local function count(minute, source, dialect, what, rows)
  call('HINCRBY', 'c:' .. minute, source .. '|' .. dialect .. '|' .. what, rows)
end

-- A minute's books stay while one of its batches is not yet at its end, and a day longer.
local function touch(minute, now, opened)
  local left = call('HINCRBY', 'c:' .. minute, 'open', opened)
  if left == 0 then
    call('EXPIRE', 'c:' .. minute, MINUTE_KEPT_S)
  elseif left == 1 and opened == 1 then
    call('PERSIST', 'c:' .. minute)
  end
  call('ZADD', 'minutes', now, minute)
end
