-- Take an entry off its stream and its context, perhaps to the dead stream; a successor takes its place at the head.
-- KEYS: 1 stream, 2 context queue, 3 lease, 4 postponed, 5 runs, 6 dead stream
-- ARGV: 1 group, 2 entry id, 3 lease token, 4 '1' to keep the lease for the next of the context,
--       5 entry (JSON) for the dead stream or '', 6 reason, 7 successor (JSON) or ''
-- Returns the id of the context's next entry, or false.
if redis.call('XACK', KEYS[1], ARGV[1], ARGV[2]) == 0 then
  if redis.call('GET', KEYS[3]) == ARGV[3] then
    redis.call('DEL', KEYS[3])
  end
  return false
end
redis.call('LREM', KEYS[2], 1, ARGV[2])
redis.call('ZREM', KEYS[4], ARGV[2])
redis.call('HDEL', KEYS[5], ARGV[2])
if ARGV[5] ~= '' then
  redis.call('XADD', KEYS[6], '*', 'entry', ARGV[5], 'reason', ARGV[6], 'entry_id', ARGV[2])
end
if ARGV[7] ~= '' then
  local id = redis.call('XADD', KEYS[1], '*', 'entry', ARGV[7])
  redis.call('LPUSH', KEYS[2], id)
end
local following = redis.call('LINDEX', KEYS[2], 0)
if not following or ARGV[4] ~= '1' then
  if redis.call('GET', KEYS[3]) == ARGV[3] then
    redis.call('DEL', KEYS[3])
  end
end
return following
