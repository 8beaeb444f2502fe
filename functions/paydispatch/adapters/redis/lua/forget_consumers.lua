-- Forget the consumers of a group that hold nothing and have not come for long: one process leaves one in each stream
-- it reads. Looked at and deleted in one step: deleting a consumer would drop the entries it has meanwhile read.
-- KEYS: 1 stream; ARGV: 1 group, 2 how long they have not come (ms)
-- Returns how many were forgotten.
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
