#!lua flags=allow-oom
-- The ticker's question: is anything due without a hint under way? Then the hint is the caller's to send.
local due = call('EXISTS', 'ring') == 1
  or #call('ZRANGEBYSCORE', 'leases', '-inf', exact(now_ms()), 'LIMIT', 0, 1) > 0
return due and take_hint() and 1 or 0
