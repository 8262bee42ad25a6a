#!lua flags=allow-oom
-- The version is the clock in us and always another than before: also after a broker lost its volume, a reader
-- that kept the old directory sees that this one is new. ARGV: the directory, then source, weight, ...
local t = call('TIME')
local version = math.max(t[1] * 1000000 + t[2], tonumber(call('GET', 'directory:version') or 0) + 1)
call('SET', 'directory', ARGV[1])
call('SET', 'directory:version', exact(version))
call('DEL', 'weights')
for at = 2, #ARGV, 2 do
  call('HSET', 'weights', ARGV[at], ARGV[at + 1])
end
return exact(version)
