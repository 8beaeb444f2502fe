-- Extend the lease of a context, if it still has the caller's token.
-- KEYS: 1 lease. ARGV: 1 lease token, 2 the least time it must last from now (ms)
-- Returns 1, or 0 if another turn holds the lease or it ran out.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return 1
