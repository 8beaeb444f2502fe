-- Take an entry off its stream and its context, perhaps to the dead stream; a successor takes its place at the head.
-- KEYS: 1 stream, 2 context queue, 3 lease, 4 postponed, 5 runs, 6 dead stream, 7 finished
-- ARGV: 1 group, 2 entry id, 3 lease token, 4 '1' to keep the lease for the next of the context,
--       5 entry (JSON) for the dead stream or '', 6 reason, 7 successor (JSON) or ''
-- Returns the id of the context's next entry, or false: there is none, or it is not this runner's to go on with.
-- Can be called again, when its answer was lost.
-- A group that was lost acknowledges nothing: the context queue tells as well whether the entry was finished before.
local acknowledged = redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
local unfinished = acknowledged + redis.call('LREM', KEYS[2], 1, ARGV[2]) > 0
redis.call('ZADD', KEYS[7], string.match(ARGV[2], '^%d+'), ARGV[2])
redis.call('EXPIRE', KEYS[7], 2160000) -- 25 days, as long as a request is remembered
redis.call('ZREM', KEYS[4], ARGV[2])
redis.call('HDEL', KEYS[5], ARGV[2])
if unfinished and ARGV[5] ~= '' then
  redis.call('XADD', KEYS[6], '*', 'entry', ARGV[5], 'reason', ARGV[6], 'entry_id', ARGV[2])
end
if unfinished and ARGV[7] ~= '' then
  local id = redis.call('XADD', KEYS[1], '*', 'entry', ARGV[7])
  redis.call('LPUSH', KEYS[2], id)
end
local holder = redis.call('GET', KEYS[3])
if holder and holder ~= ARGV[3] then
  return false -- it took this entry over, and goes on itself
end
local following = redis.call('LINDEX', KEYS[2], 0)
while following and #redis.call('XRANGE', KEYS[1], following, following) == 0 do
  redis.call('LPOP', KEYS[2]) -- nobody could read it
  following = redis.call('LINDEX', KEYS[2], 0)
end
if following and ARGV[4] == '1' then
  return following
end
redis.call('DEL', KEYS[3])
if following and #redis.pcall('XPENDING', KEYS[1], ARGV[1], following, following, 1) > 0 then
  -- Due: whoever looks next takes it, not after an idle time. One that nobody has read yet is taken when it is read;
  -- here it could not be claimed, and would hide what is due after it.
  redis.call('ZADD', KEYS[4], 'NX', 0, following)
end
return false
