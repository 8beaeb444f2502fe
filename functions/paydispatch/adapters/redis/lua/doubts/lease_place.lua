-- Take or keep the lease of a place. The clock is that of Redis, because two reconcilers may disagree about the time.
-- KEYS: 1 state
-- ARGV: 1 token, 2 seconds, 3 cursor to keep, '' for none, '-' to leave it as it is, 4 seconds to remember
-- Returns 1 if the token has the lease.
local now = tonumber(redis.call('TIME')[1])
local holder, till = unpack(redis.call('HMGET', KEYS[1], 'lease', 'lease_till'))
if holder and holder ~= ARGV[1] and tonumber(till) > now then
  return 0
end
redis.call('HSET', KEYS[1], 'lease', ARGV[1], 'lease_till', now + tonumber(ARGV[2]))
if ARGV[3] == '' then
  redis.call('HDEL', KEYS[1], 'cursor')
elseif ARGV[3] ~= '-' then
  redis.call('HSET', KEYS[1], 'cursor', ARGV[3])
end
redis.call('EXPIRE', KEYS[1], ARGV[4])
return 1
