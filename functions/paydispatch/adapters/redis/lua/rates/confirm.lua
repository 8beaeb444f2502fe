-- Read the facts that decide whether tokens that were waited for still count.
-- KEYS: 1 state, 2 settings. Returns {epoch, paused lanes...}, with the epoch '' if the state is lost.
local text = redis.call('HGET', KEYS[1], 'account')
local said = {text and string.format('%.0f', cmsgpack.unpack(text)[1]) or ''}
for _, lane in ipairs({'all', 'interactive', 'batch', 'look'}) do
  if redis.call('HEXISTS', KEYS[2], 'pause:' .. lane) == 1 then
    said[#said + 1] = lane
  end
end
return said
