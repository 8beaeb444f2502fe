-- Write where a request stands, unless that is final already. KEYS: 1 request; ARGV: 1 seconds to keep it, then field, value, …
local status = redis.call('HGET', KEYS[1], 'status')
if status ~= 'succeeded' and status ~= 'failed' then
  redis.call('HSET', KEYS[1], unpack(ARGV, 2))
end
redis.call('EXPIRE', KEYS[1], ARGV[1])
