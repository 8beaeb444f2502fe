-- Note since when runners have found no script for an entry. If the lease ran out, note nothing, because another runner
-- may have taken or finished the entry.
-- KEYS: 1 lease, 2 runs. ARGV: 1 entry id, 2 lease token, 3 now (unix ms)
-- Returns that time (unix ms), or now if the lease ran out.
if redis.call('GET', KEYS[1]) ~= ARGV[2] then
  return ARGV[3]
end
local field = 'missing:' .. ARGV[1]
local since = redis.call('HGET', KEYS[2], field)
if not since then
  redis.call('HSET', KEYS[2], field, ARGV[3])
end
return since or ARGV[3]
