#!lua
-- No flags: over maxmemory the server refuses this script before its first line, so never half of it is done.
-- ARGV: batch, source, dialect, rows, content hash, tombstone's key or '', how long it stays in ms, payload, then
-- reason, count, ...
-- Answers {verdict, batch, acceptance, rows, rejected, hint}.
local id, source, dialect, rows = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local hash, tombstone, kept_ms, payload = ARGV[5], ARGV[6], ARGV[7], ARGV[8]
local NEW, AGAIN, CONFLICT = 0, 1, 2

local now = now_ms()
-- The clock may be set back; minutes never go back, so that the acceptances of each are one stretch of numbers.
local begun = tonumber(call('GET', 'minute') or 0)
if now < begun * 60000 then
  now = begun * 60000
end
local minute = exact(math.floor(now / 60000))

local function again(batch, acceptance, took, rejected)
  if tombstone ~= '' then
    count(minute, source, dialect, 'repeated', took)
    touch(minute, now, 0)
  end
  return { AGAIN, batch, acceptance, took, rejected, 0 }
end

if tombstone ~= '' then
  local first = call('HMGET', tombstone, 'h', 'b', 'a', 'r', 'j')
  if first[1] and first[1] ~= hash then
    return { CONFLICT, first[2], first[3], first[4], first[5], 0 }
  end
  if first[1] then
    return again(first[2], first[3], first[4], first[5])
  end
end

-- A client that lost the reply, or ingest itself trying again, comes with the id it had.
local known = call('HMGET', 'm:' .. id, 'a', 'r', 'j')
if known[1] then
  return again(id, known[1], known[2], known[3])
end

-- A broker that lost its volume must not give out a number that the ledger already has: start at the clock.
local number = call('INCR', 'acceptance')
if number == 1 then
  local t = call('TIME')
  number = t[1] * 1000000 + t[2]
  call('SET', 'acceptance', exact(number))
end
local acceptance = exact(number)

local rejected = 0
for at = 9, #ARGV, 2 do
  rejected = rejected + ARGV[at + 1]
  count(minute, source, dialect, 'refused:' .. ARGV[at], ARGV[at + 1])
end
count(minute, source, dialect, 'accepted', rows)
if tonumber(minute) > begun then
  call('SET', 'minute', minute)
  call('HSET', 'c:' .. minute, 'first', acceptance)
end
call('HSET', 'c:' .. minute, 'last', acceptance)
touch(minute, now, 1)

call('SET', 'b:' .. id, payload)
call('HSET', 'm:' .. id, 'a', acceptance, 's', 'q', 'f', source, 'l', dialect, 'r', rows, 'j', rejected,
  't', exact(now), 'n', #payload)
call('ZADD', 'queued', acceptance, id)
call('HINCRBY', 'held', 'qb:' .. source, 1)
call('HINCRBY', 'held', 'qr:' .. source, rows)
call('HINCRBY', 'held', 'qn:' .. source, #payload)
enqueue(id, source, acceptance)
if tombstone ~= '' then
  call('HSET', tombstone, 'h', hash, 'b', id, 'a', acceptance, 'r', rows, 'j', rejected)
  call('PEXPIRE', tombstone, kept_ms)
end
return { NEW, id, acceptance, rows, rejected, take_hint() and 1 or 0 }
