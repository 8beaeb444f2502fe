-- The state of an account's limits, with the rules of `domain/rates/`. take.lua and report.lua are run behind this text.
-- KEYS: 1 state (a hash that expires when idle), 2 settings of operators (a hash that stays)
-- Fields of the state: `account`, `limit:<operation>` (`limit:` for all calls), `flight:<operation>`. All are packed.
-- ARGV: 1 now in unix seconds, or '' for the time of Redis, 2 and 3 the default limits: all calls, one operation
local SLOTS_PER_S, LANES = 10, 3
local KEEP_S, IN_FLIGHT_S, LONGEST_DELAY_S, PAUSED_WAIT_S = 3600, 130, 900, 60
local SHRINK_TO, RESTORED_PER_S, LOWEST_RATE = 0.7, 0.015, 1
local FAILURES_IN_A_ROW, FIRST_PROBE_S, LONGEST_PROBE_S = 20, 1, 30
local FARTHEST_SLOT = 300 -- no call waits for so many slots, so the clock of Redis was set back
local floor, min, max = math.floor, math.min, math.max

local function read_time()
  if ARGV[1] ~= '' then
    return tonumber(ARGV[1])
  end
  local time = redis.call('TIME')
  return tonumber(time[1]) + tonumber(time[2]) / 1000000
end

local now = read_time()
local first = floor(now * SLOTS_PER_S)

local function micros(at)
  return floor(at * 1000000)
end

-- The account: {epoch, since, failures in a row, probes, next probe or 0 while the breaker is closed}.
local function unpack_account(text)
  local packed = text and cmsgpack.unpack(text) or {micros(now), now, 0, 0, 0}
  return {epoch = packed[1], since = packed[2], failures = packed[3], probes = packed[4], next_probe = packed[5],
    changed = not text}
end

local function pack_account(account)
  return cmsgpack.pack({account.epoch, account.since, account.failures, account.probes, account.next_probe})
end

local function probe_interval(probes)
  return min(LONGEST_PROBE_S, FIRST_PROBE_S * 2 ^ min(probes, 16))
end

-- A limit: {first slot, learned, its time, cap, its time, and when the last deferred call of each lane comes back},
-- then the calls of each lane in the first slot, in the next one, and so on. 0 stands for none.
local HEADER = 5 + LANES

local function unpack_limit(name, text)
  local packed = text and cmsgpack.unpack(text) or {first, 0, 0, 0, 0, 0, 0, 0}
  local limit = {name = name, learned = packed[2], learned_at = packed[3], cap = packed[4], cap_at = packed[5],
    later = {packed[6], packed[7], packed[8]}, calls = {}}
  local past = (first - packed[1]) * LANES
  if past >= 0 then
    for at = HEADER + past + 1, #packed do
      limit.calls[at - HEADER - past] = packed[at]
    end
  elseif -past <= FARTHEST_SLOT * LANES then
    for at = 1, -past do
      limit.calls[at] = 0
    end
    for at = HEADER + 1, #packed do
      limit.calls[at - HEADER - past] = packed[at]
    end
  end
  return limit
end

local function pack_limit(limit)
  local packed = {first, limit.learned, limit.learned_at, limit.cap, limit.cap_at, limit.later[1], limit.later[2],
    limit.later[3]}
  for at = 1, #limit.calls do
    packed[HEADER + at] = limit.calls[at]
  end
  return cmsgpack.pack(packed)
end

-- Return the limit that an operator set, or else the default. nil: no limit.
local function configured_rate(set, default)
  if set == 'off' then
    return nil
  end
  return tonumber(set or default)
end

local function restored(value, since, configured, at)
  return min(configured, value + floor(max(0, at - since) * configured * RESTORED_PER_S))
end

-- Return the rate at a time. Without one, the rate of now.
local function rate_of(limit, configured, at)
  return limit.learned == 0 and configured or restored(limit.learned, limit.learned_at, configured, at or now)
end

-- Return the cap on calls in flight. nil: there is none.
local function cap_of(limit, configured)
  if limit.cap == 0 then
    return nil
  end
  local cap = restored(limit.cap, limit.cap_at, configured, now)
  if cap < configured then
    return cap
  end
  limit.cap, limit.flight, limit.changed = 0, nil, true
  redis.call('HDEL', KEYS[1], 'flight:' .. limit.name)
  return nil
end

-- Return the calls in flight by name, with the time at which each is forgotten, and their number.
local function read_flight(limit)
  local text = redis.call('HGET', KEYS[1], 'flight:' .. limit.name)
  local flight, size = {}, 0
  for name, till in pairs(text and cmsgpack.unpack(text) or {}) do
    if till > now then
      flight[name], size = till, size + 1
    end
  end
  return flight, size
end
