#!lua flags=allow-oom
-- A worker says what its spill directory holds: what is new, what is gone, the sum; as a whole, so that a
-- reader never sees less than there is. ARGV: worker, sum, how many files are gone, their names, then file and
-- content, ...
local worker, gone = ARGV[1], tonumber(ARGV[3])
local files = 'volume:' .. worker
for at = 4, 3 + gone do
  call('HDEL', files, ARGV[at])
end
for at = 4 + gone, #ARGV, 2 do
  call('HSET', files, ARGV[at], ARGV[at + 1])
end
call('HSET', 'volumes', worker, exact(now_ms()) .. ' ' .. ARGV[2])
