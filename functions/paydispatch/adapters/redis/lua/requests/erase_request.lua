-- Erase the data of people from a settled request. Its guards stay: fingerprint, sends, status, repeats.
-- KEYS: 1 request. ARGV: 1 context id, 2 '1' to write, '' to look only
-- Returns 'erased', 'left' for a request that is not settled, or 'other' if it is not of the context any more.
local slot = redis.call('HMGET', KEYS[1], 'context_id', 'status')
if slot[1] ~= ARGV[1] then
  return 'other'
end
if slot[2] ~= 'succeeded' and slot[2] ~= 'failed' then
  return 'left'
end
if ARGV[2] == '1' then
  redis.call('HDEL', KEYS[1], 'parsed_data', 'parsed_error', 'message', 'event')
  redis.call('HSET', KEYS[1], 'context_id', '')
end
return 'erased'
