-- Write where a request stands, unless that is final already, or the slot stands for another request by now.
-- KEYS: 1 request, 2 open sends
-- ARGV: 1 seconds to keep it, 2 fingerprint, or '' if it is not known,
--       3 how many words follow that say who asked for what: they are written into an empty slot,
--       then these words and those of the status, as field, value, …
-- Without words about who asked, an empty slot stays empty.
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
redis.call('EXPIRE', KEYS[1], ARGV[1])
redis.call('EXPIRE', KEYS[2], ARGV[1])
