-- Take the id for one request, if it is free, and return the state of the request's slot.
-- The first claim writes the fields of the claim. If the id belongs to another request, nothing is written.
-- KEYS: 1 request, 2 open sends
-- ARGV: 1 seconds to keep it, 2 fingerprint, 3 '1' if the message carries the latch, 4 first send (unix s) or '',
--       5 '' or, if SQS is known to have accepted it, the field that keeps the first time of which that is known,
--       6 time of acceptance (unix s) if the message is so old that a slot may have expired, or '',
--       7 the time for 5 (unix s), then field, value, … of the claim
-- Returns {1, existed, open sends, the fields of `claims.SLOT_FIELDS` …}, or {0} if it is the id of another request.
local fingerprint = redis.call('HGET', KEYS[1], 'fingerprint')
if fingerprint and fingerprint ~= ARGV[2] then
  return {0}
end
if not fingerprint then
  redis.call('HSET', KEYS[1], 'fingerprint', ARGV[2], unpack(ARGV, 8))
  if ARGV[6] ~= '' then
    -- An earlier slot may have expired with its sends. Assume a send at that time, so that the horizon refuses all.
    redis.call('HSET', KEYS[1], 'maybe_executed', '1', 'first_sent_at', ARGV[6])
  end
end
if ARGV[3] == '1' then
  redis.call('HSET', KEYS[1], 'maybe_executed', '1')
end
if ARGV[4] ~= '' then
  local first = redis.call('HGET', KEYS[1], 'first_sent_at')
  if not first or tonumber(ARGV[4]) < tonumber(first) then
    redis.call('HSET', KEYS[1], 'first_sent_at', ARGV[4])
    redis.call('HDEL', KEYS[1], 'started_by')
  end
end
local before = redis.call('HMGET', KEYS[1], 'status', 'closed', 'answered', 'maybe_executed', 'first_sent_at',
  'last_sent_at', 'account', 'queued', 'principal', 'seal', 'repeats', 'repeat_of')
if ARGV[5] ~= '' then
  redis.call('HSET', KEYS[1], 'queued', '1')
  if not redis.call('HGET', KEYS[1], ARGV[5]) then
    redis.call('HSET', KEYS[1], ARGV[5], ARGV[7])
  end
end
redis.call('EXPIRE', KEYS[1], ARGV[1])
redis.call('EXPIRE', KEYS[2], ARGV[1])
return {1, fingerprint and 1 or 0, redis.call('SCARD', KEYS[2]), unpack(before)}
