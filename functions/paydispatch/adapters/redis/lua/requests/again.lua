-- Count one more repeat under a key, if the newest repeat is still the one that ended without an effect.
-- So the count advances once for each ended repeat, however many callers ask at once.
-- KEYS: 1 the first request under the key, 2 its open sends
-- ARGV: 1 seconds to keep it, 2 fingerprint, 3 number of the repeat that ended (0: the first request itself)
-- Returns the number of the newest repeat. If the slot is lost, it is the number that ended.
local slot = redis.call('HMGET', KEYS[1], 'fingerprint', 'repeats')
local newest = tonumber(slot[2] or '0')
if slot[1] ~= ARGV[2] then
  return tonumber(ARGV[3])
end
if newest == tonumber(ARGV[3]) then
  newest = redis.call('HINCRBY', KEYS[1], 'repeats', 1)
end
redis.call('EXPIRE', KEYS[1], ARGV[1])
redis.call('EXPIRE', KEYS[2], ARGV[1])
return newest
