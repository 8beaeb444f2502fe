-- Take the workers with a due look, noted workers first. No other sweep takes them until `ARGV[3]`.
-- KEYS: 1 workers by their next look. ARGV: 1 now (unix ms), 2 how many at most, 3 until when they are taken (unix ms)
-- Returns worker, its score as it was read, worker, …
redis.call('ZREM', KEYS[1], '') -- changes nothing, but a replica refuses the write, so that a sweep notices a failover
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'WITHSCORES', 'LIMIT', 0, ARGV[2])
for at = 1, #due, 2 do
  redis.call('ZADD', KEYS[1], ARGV[3], due[at])
end
return due
