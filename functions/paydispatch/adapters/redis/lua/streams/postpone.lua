-- Leave an entry pending until it is due, and release its context's lease. If the lease ran out, do nothing, because
-- another runner may have taken or finished the entry.
-- KEYS: 1 lease, 2 postponed, 3 runs. ARGV: 1 entry id, 2 lease token, 3 due (unix ms), 4 '1' if the run counts,
--       5 '1' if there was no script. Otherwise the time since which there was none is forgotten.
if redis.call('GET', KEYS[1]) ~= ARGV[2] then
  return
end
redis.call('DEL', KEYS[1])
redis.call('ZADD', KEYS[2], ARGV[3], ARGV[1])
if ARGV[4] ~= '1' then
  redis.call('HINCRBY', KEYS[3], ARGV[1], -1)
end
if ARGV[5] ~= '1' then
  redis.call('HDEL', KEYS[3], 'missing:' .. ARGV[1])
end
