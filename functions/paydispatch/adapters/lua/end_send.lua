-- Write down how a send ended.
-- KEYS: 1 request, 2 open sends; ARGV: 1 seconds to keep it, 2 token, 3 'refused', 'not_connected' or 'unknown'
if ARGV[3] == 'unknown' then
  redis.call('HSET', KEYS[1], 'maybe_executed', '1') -- the send stays open
else
  redis.call('SREM', KEYS[2], ARGV[2])
end
if ARGV[3] == 'not_connected' and redis.call('HGET', KEYS[1], 'started_by') == ARGV[2] then
  redis.call('HDEL', KEYS[1], 'first_sent_at', 'last_sent_at', 'started_by') -- no other send began: nothing was sent
end
redis.call('EXPIRE', KEYS[1], ARGV[1])
redis.call('EXPIRE', KEYS[2], ARGV[1])
