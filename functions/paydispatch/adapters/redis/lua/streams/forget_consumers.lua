-- Delete the consumers of a group that have no pending entry and have been idle for long. Each process leaves one
-- consumer in each stream that it reads.
-- The check and the deletion are one step, because DELCONSUMER also drops the entries that a consumer has just read.
-- KEYS: 1 stream. ARGV: 1 group, 2 idle time (ms)
-- Returns the number of deleted consumers.
local forgotten = 0
for _, fields in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  local consumer = {}
  for at = 1, #fields, 2 do
    consumer[fields[at]] = fields[at + 1]
  end
  if consumer['pending'] == 0 and consumer['idle'] >= tonumber(ARGV[2]) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], consumer['name'])
    forgotten = forgotten + 1
  end
end
return forgotten
