-- Publish an outcome once. An unknown end may be followed by a settled one; nothing follows that.
-- KEYS: 1 seen-mark, 2 stream, 3 context queue, 4 open requests, 5 unknown ends, 6 deliveries at work
-- ARGV: 1 'unknown' or 'settled', 2 seconds to remember it, 3 entry (JSON), 4 bell channel, 5 request id,
--       6 the delivery that must be the only one at work, or ''
-- The mark says how it ended and, after a blank, which entry says so: whoever finds the status unwritten reads it there.
-- Returns the entry's id, false if it had been published before, or 'disputed' if others are at work.
local mark = string.match(redis.call('GET', KEYS[1]) or '', '^%a+')
if mark ~= 'settled' and ARGV[6] ~= '' then
  if redis.call('SCARD', KEYS[6]) > redis.call('SISMEMBER', KEYS[6], ARGV[6]) then
    return 'disputed'
  end
end
if ARGV[1] == 'settled' then
  redis.call('DEL', KEYS[6])
end
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
