-- Leave an entry pending until it is due, and release its context's lease. If the lease ran out, do nothing, because
-- another runner may have taken or finished the entry.
-- KEYS: 1 lease, 2 postponed, 3 runs. ARGV: 1 entry id, 2 lease token, 3 due (unix ms), 4 why (`Postponement`)
-- A run that is neither counted off nor noted as failed counts as a killed one.
if redis.call('GET', KEYS[1]) ~= ARGV[2] then
  return
end
redis.call('DEL', KEYS[1])
redis.call('ZADD', KEYS[2], ARGV[3], ARGV[1])
if ARGV[4] == 'failed' then
  redis.call('HINCRBY', KEYS[3], 'failed:' .. ARGV[1], 1)
elseif ARGV[4] ~= 'not_begun' then
  redis.call('HINCRBY', KEYS[3], ARGV[1], -1)
end
if ARGV[4] ~= 'missing' then
  redis.call('HDEL', KEYS[3], 'missing:' .. ARGV[1])
end
