-- Look at a worker's keys without a change to any.
-- KEYS: 1 stream, 2 postponed, 3 dead stream, 4 open requests, 5 unknown outcomes. ARGV: 1 group
-- Returns {1 if an entry was not read yet, number of pending entries, number of postponed entries,
--          due time of the first of those (unix ms, or ''), id of the stream's oldest entry (or ''),
--          number of dead entries, open requests and unknown outcomes together}.
local unread, pending, oldest = 0, 0, ''
if redis.call('EXISTS', KEYS[1]) == 1 then
  local after = '-'
  for _, fields in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
    local group = {}
    for at = 1, #fields, 2 do
      group[fields[at]] = fields[at + 1]
    end
    if group['name'] == ARGV[1] then
      pending = group['pending']
      after = '(' .. group['last-delivered-id']
    end
  end
  unread = #redis.call('XRANGE', KEYS[1], after, '+', 'COUNT', 1)
  local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
  oldest = first and first[1] or ''
end
local due = redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')[2] or ''
local others = redis.call('XLEN', KEYS[3]) + redis.call('ZCARD', KEYS[4]) + redis.call('HLEN', KEYS[5])
return {unread, pending, redis.call('ZCARD', KEYS[2]), due, oldest, others}
