-- End a look: give the lease back, and plan the next look at the time of the doubt that is due first.
-- KEYS: 1 due times, 2 state
-- ARGV: 1 token, 2 now (unix s), 3 earliest time of the next look (unix s)
-- Returns {number of looks, time of the next look}, or false if no doubt is left or another look has the lease.
if redis.call('HGET', KEYS[2], 'lease') ~= ARGV[1] then
  return false
end
redis.call('HDEL', KEYS[2], 'lease', 'lease_till')
local first = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
if #first == 0 then
  redis.call('DEL', KEYS[2])
  return false
end
local at = math.max(tonumber(first[2]), tonumber(ARGV[3]))
local looks = redis.call('HINCRBY', KEYS[2], 'looks', 1)
redis.call('HSET', KEYS[2], 'next_at', string.format('%.3f', at), 'last_at', ARGV[2])
return {looks, string.format('%.3f', at)}
