-- Take the turns of entries. An entry may run if it is the head of its context's queue and due, and the lease is free.
-- KEYS: 1 stream, 2 postponed, 3 runs, 4 finished, 5 finished before, and per entry its context queue and its lease
-- ARGV: 1 group, 2 now (unix ms), 3 lease length (ms),
--       4 per entry its id and its lease token, all separated by blanks, because a client takes longer to send many
--       arguments than one
-- Returns two lists, with an item per entry: the number of this run, 0 if it must wait, or -1 if it was finished before;
-- and the number of its runs that failed.
local function take(queue, lease, id, token)
  local head = redis.call('LINDEX', queue, 0)
  while head and head ~= id and #redis.call('XRANGE', KEYS[1], head, head) == 0 do
    redis.call('LPOP', queue) -- it was unreadable, and is deleted from the stream
    head = redis.call('LINDEX', queue, 0)
  end
  if head ~= id then
    if redis.call('LPOS', queue, id) then
      return 0
    end
    -- The entry is not queued: it is finished, or the program that added it to the stream did not queue it.
    local made_at = tonumber(string.match(id, '^%d+'))
    local all_before = tonumber(redis.call('GET', KEYS[5]) or 0)
    if made_at < all_before or redis.call('ZSCORE', KEYS[4], id) then
      redis.call('XACK', KEYS[1], ARGV[1], id) -- a group that was lost and made again delivers it once more
      return -1
    end
    if #redis.call('XPENDING', KEYS[1], ARGV[1], id, id, 1) == 0 then
      return 0
    end
    redis.call('RPUSH', queue, id)
    if head then
      return 0
    end
  end
  local holder = redis.call('GET', lease)
  if holder and holder ~= token then
    return 0
  end
  local due = redis.call('ZSCORE', KEYS[2], id)
  if due and tonumber(due) > tonumber(ARGV[2]) then
    if holder then
      redis.call('DEL', lease)
    end
    return 0
  end
  redis.call('SET', lease, token, 'PX', ARGV[3])
  if due then
    redis.call('ZREM', KEYS[2], id)
  end
  return redis.call('HINCRBY', KEYS[3], id, 1)
end

local runs, failed = {}, {}
for id, token in string.gmatch(ARGV[4], '(%S+) (%S+)') do
  local entry = #runs + 1
  runs[entry] = take(KEYS[4 + 2 * entry], KEYS[5 + 2 * entry], id, token)
  failed[entry] = runs[entry] > 1 and tonumber(redis.call('HGET', KEYS[3], 'failed:' .. id) or 0) or 0
end
return {runs, failed}
