-- Forget the single finished entries before a time at which all are finished. A new group begins at that time.
-- KEYS: 1 finished, 2 finished before. ARGV: 1 the time before which all entries are finished (unix ms)
if tonumber(ARGV[1]) > tonumber(redis.call('GET', KEYS[2]) or 0) then
  redis.call('SET', KEYS[2], ARGV[1])
  redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', '(' .. ARGV[1])
end
for _, key in ipairs(KEYS) do
  redis.call('EXPIRE', key, 2160000) -- 25 days, as long as a request is remembered
end
