-- Publish an outcome once. An unknown outcome may be followed by a settled one; nothing follows that.
-- KEYS: 1 seen-mark, 2 stream, 3 context queue, 4 open requests, 5 unknown outcomes
-- ARGV: 1 'unknown' or 'settled', 2 seconds to remember it, 3 entry (JSON), 4 bell channel, 5 request id
-- The mark says how it ended and, after a blank, which entry says so: a status that was never written is read there.
-- Returns the entry's id, or false if it had been published before.
local mark = string.match(redis.call('GET', KEYS[1]) or '', '^%a+')
redis.call('ZREM', KEYS[4], ARGV[5])
if mark == 'settled' or ARGV[1] == 'settled' then
  redis.call('HDEL', KEYS[5], ARGV[5])
end
if mark == 'settled' or mark == ARGV[1] then
  return false
end
if ARGV[1] == 'unknown' then
  redis.call('HSET', KEYS[5], ARGV[5], ARGV[3])
end
local id = redis.call('XADD', KEYS[2], '*', 'entry', ARGV[3])
redis.call('SET', KEYS[1], ARGV[1] .. ' ' .. id, 'EX', ARGV[2])
redis.call('RPUSH', KEYS[3], id)
redis.pcall('PUBLISH', ARGV[4], id) -- the user may have no right to the channel: what is written stands, and a sweep finds it
return id
