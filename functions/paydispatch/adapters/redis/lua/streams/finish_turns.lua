-- Acknowledge entries and remove each from its context's queue, and take the turn of the context's next entry under the
-- same lease. The first entry may be copied to the dead stream, and a successor may take its place at the head of the
-- queue.
-- KEYS: 1 stream, 2 postponed, 3 runs, 4 finished, 5 dead stream, and per entry its context queue, its lease and its end
-- ARGV: 1 group, 2 consumer, 3 now (unix ms), 4 lease length (ms), 5 '1' to take the next turn of each context,
--       6 text of the first entry for the dead stream or '', 7 reason, 8 successor of the first entry (JSON) or '',
--       9 per entry its id and its lease token, all separated by blanks, because a client takes longer to send many
--       arguments than one
-- Returns per entry the next turn of its context, as {number of the run, id, fields, runs that failed}, or false.
-- The key of an entry's end holds 'finished', the time (unix ms) and the number of runs, or 'dead', the id on the dead
-- stream, the number of runs and the id of the successor. Operators read it.
-- Can be called again if its answer was lost.

local function drop_lease(lease, holder)
  if holder then
    redis.call('DEL', lease)
  end
  return false
end

local function finish(queue, over, id, dead, successor)
  -- After Redis lost the group, XACK returns 0. So an entry that is still in the context's queue is unfinished too.
  local acknowledged = redis.call('XACK', KEYS[1], ARGV[1], id)
  local unfinished = acknowledged + redis.call('LREM', queue, 1, id) > 0
  if not unfinished then
    return false
  end
  local ended = 'finished ' .. ARGV[3]
  if dead ~= '' then
    ended = 'dead ' .. redis.call('XADD', KEYS[5], '*', 'entry', dead, 'reason', ARGV[7], 'entry_id', id)
  end
  ended = ended .. ' ' .. (redis.call('HGET', KEYS[3], id) or '0')
  if successor ~= '' then
    local next_id = redis.call('XADD', KEYS[1], '*', 'entry', successor)
    redis.call('LPUSH', queue, next_id)
    ended = ended .. ' ' .. next_id
  end
  redis.call('SET', over, ended, 'EX', 2160000) -- 25 days, as long as a request is remembered
  return true
end

local function next_of(queue)
  local following = redis.call('LINDEX', queue, 0)
  while following and #redis.call('XRANGE', KEYS[1], following, following) == 0 do
    redis.call('LPOP', queue) -- it was unreadable, and is deleted from the stream
    following = redis.call('LINDEX', queue, 0)
  end
  return following
end

local function leave(lease, holder, following)
  drop_lease(lease, holder)
  if following and #redis.pcall('XPENDING', KEYS[1], ARGV[1], following, following, 1) > 0 then
    -- Make the entry due, so that the next look takes it without an idle time. An entry that no runner has read yet is
    -- taken when it is read. As a due entry it could not be claimed, and would hide the due entries after it.
    redis.call('ZADD', KEYS[2], 'NX', 0, following)
  end
  return false
end

local function take(lease, token, holder, following, counted)
  local due = redis.call('ZSCORE', KEYS[2], following)
  if due and tonumber(due) > tonumber(ARGV[3]) then
    return drop_lease(lease, holder)
  end
  local claimed = redis.pcall('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, following)
  if claimed.err and not string.find(claimed.err, 'NOGROUP', 1, true) then
    error(claimed.err)
  end
  if claimed.err or #claimed == 0 then
    return drop_lease(lease, holder) -- no runner has read it yet. The one that reads it finds the lease free.
  end
  redis.call('SET', lease, token, 'PX', ARGV[4])
  redis.call('ZREM', KEYS[2], following)
  local run = counted and redis.call('HGET', KEYS[3], following)
  run = run and tonumber(run) or redis.call('HINCRBY', KEYS[3], following, 1)
  local failed = run > 1 and tonumber(redis.call('HGET', KEYS[3], 'failed:' .. following) or 0) or 0
  return {run, following, claimed[1][2], failed}
end

local function follow(queue, lease, token, unfinished)
  local holder = redis.call('GET', lease)
  if holder and holder ~= token then
    return false -- another runner took this entry over and continues the context
  end
  local following = next_of(queue)
  if not following then
    return drop_lease(lease, holder)
  end
  if ARGV[5] ~= '1' or not (unfinished or holder) then
    return leave(lease, holder, following) -- also a late repeat, whose caller would never run the next entry
  end
  -- A call that finds the entry finished under its own lease repeats one whose answer was lost. That one has counted.
  return take(lease, token, holder, following, not unfinished)
end

local turns, finished, gone = {}, {}, {}
for id, token in string.gmatch(ARGV[9], '(%S+) (%S+)') do
  local entry = #turns + 1
  local queue, lease, over = KEYS[3 + 3 * entry], KEYS[4 + 3 * entry], KEYS[5 + 3 * entry]
  local unfinished = finish(queue, over, id, entry == 1 and ARGV[6] or '', entry == 1 and ARGV[8] or '')
  turns[entry] = follow(queue, lease, token, unfinished)
  finished[2 * entry - 1], finished[2 * entry] = string.match(id, '^%d+'), id
  gone[3 * entry - 2], gone[3 * entry - 1], gone[3 * entry] = id, 'missing:' .. id, 'failed:' .. id
end
-- Last, because an entry of the batch may have been made due or counted as the next one of an earlier entry.
redis.call('ZADD', KEYS[4], unpack(finished))
redis.call('EXPIRE', KEYS[4], 2160000) -- 25 days, as long as a request is remembered
redis.call('ZREM', KEYS[2], unpack(gone))
redis.call('HDEL', KEYS[3], unpack(gone))
return turns
