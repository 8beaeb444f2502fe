-- Hold a context for longer, if its lease is still ours.
-- KEYS: 1 lease; ARGV: 1 lease token, 2 the least it must last from now (ms)
-- Returns 1, or 0: the lease is another's by now, or has run out.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return 1
