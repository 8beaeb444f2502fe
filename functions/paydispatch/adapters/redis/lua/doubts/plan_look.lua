-- Note a doubt, and plan a look of its place if none is planned that early, or if the planned one is lost.
-- KEYS: 1 due times, 2 doubts, 3 state
-- ARGV: 1 doubt, 2 due (unix s), 3 its record (JSON), 4 now (unix s), 5 seconds until a look counts as lost,
--       6 seconds to remember
-- Returns 1 if a look message must be sent.
if redis.call('HSETNX', KEYS[2], ARGV[1], ARGV[3]) == 1 then
  redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
end
for _, key in ipairs(KEYS) do redis.call('EXPIRE', key, ARGV[6]) end
local planned = tonumber(redis.call('HGET', KEYS[3], 'next_at') or '')
local due = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]) or ARGV[2])
if planned and planned <= due and planned >= tonumber(ARGV[4]) - tonumber(ARGV[5]) then
  return 0
end
redis.call('HSET', KEYS[3], 'next_at', math.max(due, tonumber(ARGV[4])), 'looks', 0)
redis.call('EXPIRE', KEYS[3], ARGV[6])
return 1
