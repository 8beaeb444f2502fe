-- Publish an outcome once. A settled outcome may follow an unknown one. Nothing follows a settled one.
-- KEYS: 1 seen-mark, 2 stream, 3 context queue, 4 open requests, 5 unknown outcomes
-- ARGV: 1 'unknown' or 'settled', 2 seconds to remember it, 3 entry (JSON), 4 bell channel, 5 request id
-- The seen-mark is 'unknown' or 'settled', a blank, and the id of the entry. A lost status is written again from it.
-- Returns the entry's id, or false if the outcome was published before.
local mark = string.match(redis.call('GET', KEYS[1]) or '', '^%a+')
redis.call('ZREM', KEYS[4], ARGV[5])
if mark == 'settled' or mark == ARGV[1] then
  return false
end
if ARGV[1] == 'unknown' or redis.call('HEXISTS', KEYS[5], ARGV[5]) == 1 then
  -- The settled entry takes the place of the unknown one until its status is known to be written. The process may die
  -- before it writes the status, and no message may be left that would bring it about.
  redis.call('HSET', KEYS[5], ARGV[5], ARGV[3])
end
local id = redis.call('XADD', KEYS[2], '*', 'entry', ARGV[3])
redis.call('SET', KEYS[1], ARGV[1] .. ' ' .. id, 'EX', ARGV[2])
redis.call('RPUSH', KEYS[3], id)
redis.pcall('PUBLISH', ARGV[4], id) -- may fail: a Redis user without a right to the channel still publishes the outcome
return id
