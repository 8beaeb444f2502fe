-- Keep the message of a request that may have had an effect, so that an event of Stripe can settle the request.
-- The message is dropped with the final status (write_status.lua), and expires with the slot.
-- KEYS: 1 request, 2 open sends
-- ARGV: 1 seconds to keep it, 2 fingerprint, 3 the message (JSON, its key sealed)
-- Returns the event that came before the doubt (keep_event.lua), once.
local slot = redis.call('HMGET', KEYS[1], 'fingerprint', 'status')
if slot[1] ~= ARGV[2] or slot[2] == 'succeeded' or slot[2] == 'failed' then
  return
end
local event = redis.call('HGET', KEYS[1], 'event')
redis.call('HDEL', KEYS[1], 'event')
redis.call('HSET', KEYS[1], 'message', ARGV[3])
redis.call('EXPIRE', KEYS[1], ARGV[1])
redis.call('EXPIRE', KEYS[2], ARGV[1])
return event
