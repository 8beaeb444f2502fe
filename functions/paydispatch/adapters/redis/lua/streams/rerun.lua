-- Move an entry from the dead stream back to its worker's stream, as the last of its context.
-- KEYS: 1 dead stream, 2 stream, 3 context queue, 4 the entry's end, 5 seen-mark of the request
-- ARGV: 1 id on the dead stream, 2 '1' if the entry says that the outcome is unknown, 3 now (unix ms), 4 bell channel
-- Returns 'moved', 'gone' if the entry is no longer there, or 'settled' if the request has been settled since.
-- Its end then holds 'rerun', the time (unix ms), the number of runs, the new id, and the id of the successor if there is
-- one. So a call whose answer was lost can be made again, and operators find the new entry.
-- The entry is deleted last. If a write before that fails, the flow may run again twice, but it is not lost.
local lying = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])[1]
local ended = redis.call('GET', KEYS[4]) or ''
if not lying then
  return string.find(ended, '^rerun ') and 'moved' or 'gone'
end
if ARGV[2] == '1' and string.find(redis.call('GET', KEYS[5]) or '', '^settled') then
  return 'settled'
end
local fields = {}
for at = 1, #lying[2], 2 do
  fields[lying[2][at]] = lying[2][at + 1]
end
local runs, successor = string.match(ended, '^dead %S+ (%d+) ?(%S*)$')
local id = redis.call('XADD', KEYS[2], '*', 'entry', fields['entry'])
redis.call('RPUSH', KEYS[3], id)
local rerun = 'rerun ' .. ARGV[3] .. ' ' .. (runs or '0') .. ' ' .. id
if successor and successor ~= '' then
  rerun = rerun .. ' ' .. successor
end
redis.call('SET', KEYS[4], rerun, 'EX', 2160000) -- 25 days, as long as a request is remembered
redis.call('XDEL', KEYS[1], ARGV[1])
redis.pcall('PUBLISH', ARGV[4], id) -- may fail: a Redis user may have no right to the channel
return 'moved'
