-- Take the turn of an entry. It may run if it is the head of its context's queue and due, and the lease is free.
-- KEYS: 1 context queue, 2 lease, 3 postponed, 4 runs, 5 stream, 6 finished, 7 finished before
-- ARGV: 1 entry id, 2 lease token, 3 now (unix ms), 4 lease length (ms), 5 group
-- Returns the number of this run, 0 if it must wait, or -1 if it was finished before.
local head = redis.call('LINDEX', KEYS[1], 0)
while head and head ~= ARGV[1] and #redis.call('XRANGE', KEYS[5], head, head) == 0 do
  redis.call('LPOP', KEYS[1]) -- it was unreadable, and is deleted from the stream
  head = redis.call('LINDEX', KEYS[1], 0)
end
if head ~= ARGV[1] then
  if redis.call('LPOS', KEYS[1], ARGV[1]) then
    return 0
  end
  -- The entry is not queued: it is finished, or the program that added it to the stream did not queue it.
  local made_at = tonumber(string.match(ARGV[1], '^%d+'))
  local all_before = tonumber(redis.call('GET', KEYS[7]) or 0)
  if made_at < all_before or redis.call('ZSCORE', KEYS[6], ARGV[1]) then
    redis.call('XACK', KEYS[5], ARGV[5], ARGV[1]) -- a group that was lost and made again delivers it once more
    return -1
  end
  if #redis.call('XPENDING', KEYS[5], ARGV[5], ARGV[1], ARGV[1], 1) == 0 then
    return 0
  end
  redis.call('RPUSH', KEYS[1], ARGV[1])
  if head then
    return 0
  end
end
local holder = redis.call('GET', KEYS[2])
if holder and holder ~= ARGV[2] then
  return 0
end
local due = redis.call('ZSCORE', KEYS[3], ARGV[1])
if due and tonumber(due) > tonumber(ARGV[3]) then
  if holder then
    redis.call('DEL', KEYS[2])
  end
  return 0
end
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[4])
redis.call('ZREM', KEYS[3], ARGV[1])
return redis.call('HINCRBY', KEYS[4], ARGV[1], 1)
