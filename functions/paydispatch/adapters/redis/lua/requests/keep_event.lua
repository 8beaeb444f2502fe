-- Keep an event of Stripe that came before the doubt of its request, until the doubt is noted (keep_message.lua).
-- A later event replaces it. It expires with the slot.
-- KEYS: 1 request
-- ARGV: 1 the event (JSON)
-- Returns 1 if the event is kept, or 0 if the slot is empty, its status is final, or the doubt is noted.
local slot = redis.call('HMGET', KEYS[1], 'fingerprint', 'status', 'message')
if not slot[1] or slot[2] == 'succeeded' or slot[2] == 'failed' or slot[3] then
  return 0
end
redis.call('HSET', KEYS[1], 'event', ARGV[1])
return 1
