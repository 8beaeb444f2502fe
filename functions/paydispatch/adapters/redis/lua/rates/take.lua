-- Take the tokens of many calls of one account, in the order of the arguments. See limits.lua for KEYS and ARGV 1 to 3.
-- ARGV: 4 prefix of the names of calls in flight,
--       5 to 10 each lane's share and longest wait (s),
--       then for each group of equal calls: operation, lane (1 to 3), weight, longest wait (s), number of calls
-- Returns one text: 'EPOCH WATCHED' and for each group '|IN_FLIGHT ANSWER ANSWER ...', where an answer is
-- 'N*WAIT' for N calls that may go after WAIT seconds, or 'N' and a letter and the delay in seconds for N calls that come
-- again: p paused, o outage, c calls in flight, r rate.
local lanes = {}
for lane = 1, LANES do
  lanes[lane] = {share = tonumber(ARGV[3 + 2 * lane]), longest = tonumber(ARGV[4 + 2 * lane])}
end
local groups, places, state_fields = {}, {[''] = 1}, {'account', 'limit:'}
local set_fields = {'pause:all', 'pause:interactive', 'pause:batch', 'pause:look', 'rate:'}
for at = 11, #ARGV, 5 do
  local operation = ARGV[at]
  if not places[operation] then
    state_fields[#state_fields + 1] = 'limit:' .. operation
    set_fields[#set_fields + 1] = 'rate:' .. operation
    places[operation] = #state_fields - 1
  end
  groups[#groups + 1] = {operation = operation, lane = tonumber(ARGV[at + 1]), weight = tonumber(ARGV[at + 2]),
    longest = tonumber(ARGV[at + 3]), calls = tonumber(ARGV[at + 4])}
end
local state = redis.call('HMGET', KEYS[1], unpack(state_fields))
local set = redis.call('HMGET', KEYS[2], unpack(set_fields))
local account = unpack_account(state[1])
local scarce_until = floor(account.since * SLOTS_PER_S) + 1

local limits = {}
-- Return the limit of an operation, or of all calls. nil: there is none.
local function limit_of(operation)
  local limit = limits[operation]
  if limit == nil then
    local place = places[operation]
    local configured = configured_rate(set[place + 4], ARGV[operation == '' and 2 or 3])
    limit = configured and unpack_limit(operation, state[place + 1]) or false
    if limit then
      limit.configured, limit.rate = configured, rate_of(limit, configured)
    end
    limits[operation] = limit
  end
  return limit
end

local function bounds_of(operation)
  local bounds = {}
  for _, name in ipairs({'', operation}) do
    bounds[#bounds + 1] = limit_of(name) or nil
  end
  return bounds
end

-- Return the calls per second of the lane and of each lane above it, with the lanes below, and the least of these rates.
local function lane_rates(rate, lane)
  local rates, least = {}, rate
  for one = 1, lane do
    rates[one] = max(1, floor(rate * lanes[one].share))
    least = min(least, rates[one])
  end
  rates.least = least
  return rates
end

local function capacity(rate, slot)
  local tenth = slot % SLOTS_PER_S
  local full = floor((tenth + 1) * rate / SLOTS_PER_S) - floor(tenth * rate / SLOTS_PER_S)
  return (slot > scarce_until or full < 2) and full or floor(full / 2)
end

local function room(bounds, rates, lane, slot)
  local least
  for index, limit in ipairs(bounds) do
    local calls, at, sum = limit.calls, (slot - first) * LANES, 0
    for one = LANES, lane + 1, -1 do
      sum = sum + (calls[at + one] or 0)
    end
    local free
    for one = lane, 1, -1 do
      sum = sum + (calls[at + one] or 0)
      local left = capacity(rates[index][one], slot) - sum
      free = free and min(free, left) or left
    end
    free = min(free, capacity(limit.rate, slot) - sum)
    least = least and min(least, free) or free
  end
  return least
end

local function reserve(bounds, lane, slot, tokens)
  for _, limit in ipairs(bounds) do
    local calls, at = limit.calls, (slot - first) * LANES
    for gap = #calls + 1, at + LANES do
      calls[gap] = 0
    end
    calls[at + lane] = calls[at + lane] + tokens
    limit.changed = true
  end
end

-- Reserve one call of some weight. Return its slot, or nil.
local function reserve_one(bounds, rates, group, last)
  local weight = group.weight
  for _, rate in ipairs(rates) do
    weight = min(weight, rate.least)
  end
  local found = {}
  for slot = first, last do
    local tokens = max(0, min(weight, room(bounds, rates, group.lane, slot)))
    found[#found + 1], weight = tokens, weight - tokens
    if weight == 0 then
      for index, some in ipairs(found) do
        if some > 0 then
          reserve(bounds, group.lane, first + index - 1, some)
        end
      end
      return slot
    end
  end
end

-- Reserve up to `wanted` calls. Return how many, and the answers for them.
local full_until = {}
local function reserve_calls(bounds, rates, group, wanted)
  local longest = max(0, min(group.longest, lanes[group.lane].longest))
  local last, done, answers = floor((now + longest) * SLOTS_PER_S), 0, {}
  local function answer(slot, calls)
    answers[#answers + 1] = string.format('%d*%.6f', calls, max(0, slot / SLOTS_PER_S - now))
    done = done + calls
  end
  if #bounds == 0 then
    answer(first, wanted)
  elseif group.weight > 1 then
    while done < wanted do
      local slot = reserve_one(bounds, rates, group, last)
      if not slot then
        break
      end
      answer(slot, 1)
    end
  else
    local place = group.operation .. ' ' .. group.lane
    for slot = full_until[place] or first, last do
      local calls = min(wanted - done, room(bounds, rates, group.lane, slot))
      if calls > 0 then
        reserve(bounds, group.lane, slot, calls)
        answer(slot, calls)
      end
      full_until[place] = done < wanted and slot + 1 or slot
      if done == wanted then
        break
      end
    end
  end
  return done, answers
end

local function read_caps(bounds)
  local capped = {}
  for _, limit in ipairs(bounds) do
    local cap = cap_of(limit, limit.configured)
    if cap then
      if not limit.flight then
        limit.flight, limit.flying = read_flight(limit)
      end
      limit.free = cap - limit.flying
      capped[#capped + 1] = limit
    end
  end
  return capped
end

local function join_flight(capped, from, calls)
  for _, limit in ipairs(capped) do
    for number = from + 1, from + calls do
      limit.flight[ARGV[4] .. number] = now + IN_FLIGHT_S
    end
    limit.flying = limit.flying + calls
  end
end

-- Answer `calls` calls that come again when all that were deferred before them have come.
local function postpone(answers, letter, bounds, group, calls)
  for _ = 1, calls do
    local back
    for _, limit in ipairs(bounds) do
      local last = max(now + lanes[group.lane].longest, limit.later[group.lane])
      local rates = lane_rates(rate_of(limit, limit.configured, last), group.lane)
      local at = last + group.weight / rates.least
      limit.later[group.lane] = min(now + LONGEST_DELAY_S, at)
      back = max(back or 0, limit.later[group.lane])
      limit.changed = true
    end
    answers[#answers + 1] = string.format('1%s%.6f', letter, back - now)
  end
end

local number = 0
local function answer_group(group)
  if set[1] or set[1 + group.lane] then
    return 0, {string.format('%dp%d', group.calls, PAUSED_WAIT_S)}
  end
  local bounds, rates, answers, left, in_flight = nil, {}, {}, group.calls, 0
  local outage = group.lane < LANES and account.next_probe > 0 -- looks go on: a read can do no harm
  while left > 0 do
    if outage and account.next_probe > now then
      answers[#answers + 1] = string.format('%do%.6f', left, account.next_probe - now)
      break
    end
    if not bounds then
      bounds = bounds_of(group.operation)
      for index, limit in ipairs(bounds) do
        rates[index] = lane_rates(limit.rate, group.lane)
      end
    end
    local wanted, capped = outage and 1 or left, read_caps(bounds)
    for _, limit in ipairs(capped) do
      wanted = min(wanted, limit.free)
    end
    if wanted <= 0 then
      postpone(answers, 'c', bounds, group, left)
      break
    end
    local done, waits = reserve_calls(bounds, rates, group, wanted)
    for _, wait in ipairs(waits) do
      answers[#answers + 1] = wait
    end
    if done > 0 then
      join_flight(capped, number + group.calls - left, done)
      in_flight = #capped > 0 and 1 or 0
      if outage then
        account.probes, account.changed = account.probes + 1, true
        account.next_probe = now + probe_interval(account.probes)
      end
    end
    left = left - done
    if done < wanted then
      postpone(answers, 'r', bounds, group, left)
      break
    end
  end
  return in_flight, answers
end

local said = {string.format('%.0f %d', account.epoch, account.failures > 0 and 1 or 0)}
for _, group in ipairs(groups) do
  local in_flight, answers = answer_group(group)
  said[#said + 1] = in_flight .. ' ' .. table.concat(answers, ' ')
  number = number + group.calls
end

local changes = account.changed and {'account', pack_account(account)} or {}
for name, limit in pairs(limits) do
  if limit and limit.changed then
    changes[#changes + 1], changes[#changes + 2] = 'limit:' .. name, pack_limit(limit)
  end
  if limit and limit.flight then
    changes[#changes + 1], changes[#changes + 2] = 'flight:' .. name, cmsgpack.pack(limit.flight)
  end
end
if #changes > 0 then
  redis.call('HSET', KEYS[1], unpack(changes))
  redis.call('EXPIRE', KEYS[1], KEEP_S)
end
return table.concat(said, '|')
