-- Take the workers whose look is due, those that were noted first. No other sweep takes them until `ARGV[3]`.
-- KEYS: 1 workers by their next look; ARGV: 1 now (unix ms), 2 how many at most, 3 until when they are taken (unix ms)
-- Returns worker, the look that was due, worker, …
redis.call('ZREM', KEYS[1], '') -- nothing has this name: only a primary takes a write, so a sweep learns of a failover
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'WITHSCORES', 'LIMIT', 0, ARGV[2])
for at = 1, #due, 2 do
  redis.call('ZADD', KEYS[1], ARGV[3], due[at])
end
return due
