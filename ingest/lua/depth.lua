#!lua flags=no-writes,allow-oom
-- Answers {queued, leased, acceptance time of the oldest in ms or now, now, {held}, {drain}}.
local now = now_ms()
local oldest = call('ZRANGE', 'queued', 0, 0)[1]
local since = oldest and call('HGET', 'm:' .. oldest, 't') or exact(now)
return { call('ZCARD', 'queued'), call('ZCARD', 'leases'), since, exact(now), call('HGETALL', 'held'),
  call('HGETALL', 'drain') }
