-- Write how a send ended. If the slot belongs to another request, nothing is written.
-- KEYS: 1 request, 2 open sends
-- ARGV: 1 seconds to keep it, 2 fingerprint, 3 token, 4 'refused', 'not_connected' or 'unknown'
local slot = redis.call('HMGET', KEYS[1], 'fingerprint', 'started_by')
if slot[1] ~= ARGV[2] then
  return
end
if ARGV[4] == 'unknown' then
  redis.call('HSET', KEYS[1], 'maybe_executed', '1') -- the send stays open
else
  redis.call('SREM', KEYS[2], ARGV[3])
end
if ARGV[4] == 'not_connected' and slot[2] == ARGV[3] then
  redis.call('HDEL', KEYS[1], 'first_sent_at', 'last_sent_at', 'started_by') -- no other send began, so nothing was sent
end
redis.call('EXPIRE', KEYS[1], ARGV[1])
redis.call('EXPIRE', KEYS[2], ARGV[1])
