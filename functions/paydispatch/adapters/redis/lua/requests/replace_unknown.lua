-- Replace the entry of an unknown outcome, unless it has been settled meanwhile.
-- KEYS: 1 unknown outcomes. ARGV: 1 request id, 2 entry (JSON), 3 the entry that it replaces
if redis.call('HGET', KEYS[1], ARGV[1]) == ARGV[3] then
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
end
