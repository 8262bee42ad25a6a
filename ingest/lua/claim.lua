#!lua flags=allow-oom
-- ARGV: owner, lease in ms, most batches, most rows, most bytes.
-- Answers {more, {batch, acceptance, source, rows, deaths, payload}, ...}.
local owner, lease_ms = ARGV[1], tonumber(ARGV[2])
local most_batches, most_rows, most_bytes = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local ROW = 100 -- what one row of a source of weight 1 counts; weights go to 100, and tags stay whole
local SWEEP = 64 -- leases that ran out, taken back in one call; the next call takes the rest

local now = now_ms()
for _, id in ipairs(call('ZRANGEBYSCORE', 'leases', '-inf', exact(now), 'LIMIT', 0, SWEEP)) do
  come_back(id, true)
end

local answer, rows, bytes, last = { 0 }, 0, 0, nil
local lease_end = exact(now + lease_ms)

-- Always the next batch of the source that has been served least, in rows by its weight. A batch that does not
-- fit any more keeps its source where it is, so that it is the next call's first. One that a worker died over
-- comes alone.
while #answer <= most_batches do
  local first = call('ZRANGE', 'ring', 0, 0, 'WITHSCORES')
  local source, served = first[1], first[2]
  if not source then
    break
  end
  local id = call('ZRANGE', 'due:' .. source, 0, 0)[1]
  local known = call('HMGET', 'm:' .. id, 'a', 'r', 'n', 'd')
  local deaths = tonumber(known[4] or 0)
  rows, bytes = rows + known[2], bytes + known[3]
  if #answer > 1 and (deaths > 0 or rows > most_rows or bytes > most_bytes) then
    break
  end
  local weight = tonumber(call('HGET', 'weights', source) or 1)
  last = served
  local tag = exact(served + math.floor(math.max(1, known[2]) * ROW / weight))
  call('HSET', 'tags', source, tag)
  dequeue(id, source)
  call('ZADD', 'ring', 'XX', tag, source)
  call('ZADD', 'leases', lease_end, id)
  call('HSET', 'm:' .. id, 'o', owner)
  answer[#answer + 1] = { id, known[1], source, known[2], deaths, call('GET', 'b:' .. id) or '' }
  if deaths > 0 then
    break
  end
end

if last then
  call('SET', 'served', last)
end
-- With more due the caller has the next hint to send, and `hinted` says that it is under way.
if call('EXISTS', 'ring') == 1 then
  answer[1] = 1
  call('SET', 'hinted', 1, 'PX', HINT_MS)
else
  call('DEL', 'hinted')
end
return answer
