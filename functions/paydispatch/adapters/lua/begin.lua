-- Write down that an attempt begins, unless the request is already final; return what was known before.
-- KEYS: 1 request; ARGV: 1 seconds to keep it, 2 now (unix s), then field, value, …
local before = redis.call('HMGET', KEYS[1], 'status', 'maybe_executed', 'first_sent_at')
if before[1] ~= 'succeeded' and before[1] ~= 'failed' then
  redis.call('HSETNX', KEYS[1], 'first_sent_at', ARGV[2])
  redis.call('HSET', KEYS[1], unpack(ARGV, 3))
  redis.call('EXPIRE', KEYS[1], ARGV[1])
end
return before
