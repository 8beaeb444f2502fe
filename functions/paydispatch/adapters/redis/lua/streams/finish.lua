-- Acknowledge an entry and remove it from its context's queue. It may be copied to the dead stream, and a successor may
-- take its place at the head of the queue.
-- KEYS: 1 stream, 2 context queue, 3 lease, 4 postponed, 5 runs, 6 dead stream, 7 finished
-- ARGV: 1 group, 2 entry id, 3 lease token, 4 '1' to keep the lease for the next of the context,
--       5 entry (JSON) for the dead stream or '', 6 reason, 7 successor (JSON) or ''
-- Returns the id of the context's next entry, or false if there is none or this runner must not run it.
-- Can be called again if its answer was lost.
-- After Redis lost the group, XACK returns 0. So an entry that is still in the context's queue is unfinished too.
local acknowledged = redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
local unfinished = acknowledged + redis.call('LREM', KEYS[2], 1, ARGV[2]) > 0
redis.call('ZADD', KEYS[7], string.match(ARGV[2], '^%d+'), ARGV[2])
redis.call('EXPIRE', KEYS[7], 2160000) -- 25 days, as long as a request is remembered
redis.call('ZREM', KEYS[4], ARGV[2])
redis.call('HDEL', KEYS[5], ARGV[2], 'missing:' .. ARGV[2])
if unfinished and ARGV[5] ~= '' then
  redis.call('XADD', KEYS[6], '*', 'entry', ARGV[5], 'reason', ARGV[6], 'entry_id', ARGV[2])
end
if unfinished and ARGV[7] ~= '' then
  local id = redis.call('XADD', KEYS[1], '*', 'entry', ARGV[7])
  redis.call('LPUSH', KEYS[2], id)
end
local holder = redis.call('GET', KEYS[3])
if holder and holder ~= ARGV[3] then
  return false -- another runner took this entry over and continues the context
end
local following = redis.call('LINDEX', KEYS[2], 0)
while following and #redis.call('XRANGE', KEYS[1], following, following) == 0 do
  redis.call('LPOP', KEYS[2]) -- it was unreadable, and is deleted from the stream
  following = redis.call('LINDEX', KEYS[2], 0)
end
if following and ARGV[4] == '1' then
  return following
end
redis.call('DEL', KEYS[3])
if following and #redis.pcall('XPENDING', KEYS[1], ARGV[1], following, following, 1) > 0 then
  -- Make the entry due, so that the next look takes it without an idle time. An entry that no runner has read yet is
  -- taken when it is read. As a due entry it could not be claimed, and would hide the due entries after it.
  redis.call('ZADD', KEYS[4], 'NX', 0, following)
end
return false
