-- Write the status of a request, unless its status is final already or the slot belongs to another request.
-- KEYS: 1 request, 2 open sends
-- ARGV: 1 seconds to keep it, 2 fingerprint, or '' if it is not known,
--       3 number of words in the claim's fields, which are written into an empty slot,
--       then these words and those of the status, as field, value, …
-- Without the claim's fields, an empty slot stays empty.
-- Returns the slot of the first request under the key, if this request is a repeat of it.
local slot, words = redis.call('HMGET', KEYS[1], 'fingerprint', 'status'), tonumber(ARGV[3])
if slot[1] and ARGV[2] ~= '' and slot[1] ~= ARGV[2] then
  return
end
if not slot[1] then
  if words == 0 then
    return
  end
  redis.call('HSET', KEYS[1], unpack(ARGV, 4, 3 + words))
end
if slot[2] ~= 'succeeded' and slot[2] ~= 'failed' then
  redis.call('HSET', KEYS[1], unpack(ARGV, 4 + words))
end
local status = redis.call('HGET', KEYS[1], 'status')
if status == 'succeeded' or status == 'failed' then
  redis.call('HDEL', KEYS[1], 'message', 'event') -- nothing follows a final status
end
redis.call('EXPIRE', KEYS[1], ARGV[1])
redis.call('EXPIRE', KEYS[2], ARGV[1])
return redis.call('HGET', KEYS[1], 'repeat_of')
