-- Close a request unexecuted, unless another send is open or ended unknown. A closed request is never sent.
-- KEYS: 1 request, 2 open sends
-- ARGV: 1 seconds to keep it, 2 fingerprint, 3 token of the caller's send, which has certainly ended, or '',
--       4 the error (JSON)
-- Returns {'closed', the error of the first close}, {'published'} or {'maybe_executed'}.
local slot = redis.call('HMGET', KEYS[1], 'fingerprint', 'status', 'closed', 'maybe_executed')
if slot[1] ~= ARGV[2] then
  return {'maybe_executed'}
end
if slot[2] == 'succeeded' or slot[2] == 'failed' then
  return {'published'}
end
if not slot[3] then
  if slot[4] == '1' or redis.call('SCARD', KEYS[2]) > redis.call('SISMEMBER', KEYS[2], ARGV[3]) then
    return {'maybe_executed'}
  end
  redis.call('HSET', KEYS[1], 'closed', ARGV[4])
  redis.call('SREM', KEYS[2], ARGV[3])
  slot[3] = ARGV[4]
end
redis.call('EXPIRE', KEYS[1], ARGV[1])
return {'closed', slot[3]}
