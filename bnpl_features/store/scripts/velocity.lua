-- Brings events into the velocity state of customers of one bucket, in one step. What precedes this text is derived from
-- the declaration (features/velocity.py): lateness_ms, most_recent, most_distinct, kept_ms, failed_cents, and rings, each
-- {slot_ms, slots}. The state's bytes are described in docs/streaming.md.
-- KEYS: bucket
-- ARGV: mode ('events' | 'fill' | 'erase' | 'readmit'), now in ms, of a fill: from when and until when it has all that
--   happened, in ms; how many customers to look at for idle ones; then pairs: hash field, events of 21 bytes
--   (at ms, id, cents, device, category), in a fill by time.
-- Returns a letter an event: a(pplied), d(uplicate), l(ate), e(rased).
local header = '<I1I6I3I6I6I1I1I1I1I1I1'
local format, erased = 1, 0
local hour_ms = 3600000

local function read(value)
  local state = {sizes = {}}
  local _, position, latest, recent
  _, state.floor, latest, state.since, state.last, recent, state.sizes[1], state.sizes[2], state.sizes[3],
    state.sizes[4], state.sizes[5], position = struct.unpack(header, value)
  state.latest = state.floor + latest
  state.recent = {}
  for number = 1, recent do
    local at, id, cents, device, category
    at, id, cents, device, category, position = struct.unpack('<I3I4I4I4I3', value, position)
    state.recent[number] = {state.floor + at, id, cents, device, category}
  end
  state.tail = string.sub(value, position)
  return state
end

local function begun(at, since)
  local floor = at - lateness_ms
  return {floor = floor, latest = floor, since = since and since - 1 or floor, last = 0, recent = {}, sizes = {0, 0, 0, 0, 0}, tail = ''}
end

-- The slots and sets of events that are no longer kept one by one; most events need not look at them.
local function open(state)
  if state.rings then return end
  local position = 1
  state.rings, state.sets = {}, {{}, {}}
  for number = 1, #rings do
    local ring = {}
    for _ = 1, state.sizes[number] do
      local slot, count, failed, cents
      slot, count, failed, cents, position = struct.unpack('<I4I2I2I5', state.tail, position)
      ring[slot] = {count, failed, cents}
    end
    state.rings[number] = ring
  end
  for number, set in ipairs(state.sets) do
    local member_format = number == 1 and '<I4I3' or '<I3I3'
    for _ = 1, state.sizes[#rings + number] do
      local member, hour
      member, hour, position = struct.unpack(member_format, state.tail, position)
      set[member] = hour
    end
  end
end

local function roll(state, event)
  open(state)
  local at, cents = event[1], event[3]
  for number, ring in ipairs(state.rings) do
    local slot = math.floor(at / rings[number][1])
    local sums = ring[slot] or {0, 0, 0}
    if cents == failed_cents then
      sums[2] = math.min(sums[2] + 1, 65535)
    else
      sums[1] = math.min(sums[1] + 1, 65535)
      sums[3] = math.min(sums[3] + cents, 1099511627775)
    end
    ring[slot] = sums
  end
  if cents == failed_cents then return end
  state.last = math.max(state.last, at)
  local hour = math.floor(at / hour_ms)
  state.sets[1][event[4]] = math.max(state.sets[1][event[4]] or 0, hour)
  state.sets[2][event[5]] = math.max(state.sets[2][event[5]] or 0, hour)
end

local function offer(state, event)
  local at, recent = event[1], state.recent
  if at <= state.floor then return 'l' end
  local place = #recent
  while place > 0 and recent[place][1] > at do place = place - 1 end
  local same = place
  while same > 0 and recent[same][1] == at do
    if recent[same][2] == event[2] then return 'd' end
    same = same - 1
  end
  table.insert(recent, place + 1, event)
  state.latest = math.max(state.latest, at)
  state.floor = math.max(state.floor, state.latest - lateness_ms)
  if #recent > most_recent then state.floor = math.max(state.floor, recent[1][1]) end
  while recent[1] and recent[1][1] <= state.floor do roll(state, table.remove(recent, 1)) end
  return 'a'
end

local function sorted_keys(found)
  local keys = {}
  for key in pairs(found) do keys[#keys + 1] = key end
  table.sort(keys)
  return keys
end

local function packed_tail(state)
  local parts = {}
  for number, ring in ipairs(state.rings) do
    local slot_ms, slots = rings[number][1], rings[number][2]
    local oldest = math.floor((state.latest - lateness_ms) / slot_ms) - slots + 1
    local size = 0
    for _, slot in ipairs(sorted_keys(ring)) do
      if slot >= oldest then
        local sums = ring[slot]
        parts[#parts + 1] = struct.pack('<I4I2I2I5', slot, sums[1], sums[2], sums[3])
        size = size + 1
      end
    end
    state.sizes[number] = size
  end
  local oldest = math.floor((state.latest - lateness_ms - kept_ms) / hour_ms) + 1
  for number, set in ipairs(state.sets) do
    local members = sorted_keys(set)
    -- Those seen last are kept: of these the count is right until it reaches the limit.
    table.sort(members, function(a, b) if set[a] ~= set[b] then return set[a] > set[b] end return a < b end)
    local size = 0
    for _, member in ipairs(members) do
      if size < most_distinct and set[member] >= oldest then
        parts[#parts + 1] = struct.pack(number == 1 and '<I4I3' or '<I3I3', member, set[member])
        size = size + 1
      end
    end
    state.sizes[#rings + number] = size
  end
  return table.concat(parts)
end

local function packed(state)
  local tail = state.rings and packed_tail(state) or state.tail
  local sizes = state.sizes
  local parts = {struct.pack(header, format, state.floor, state.latest - state.floor, state.since, state.last,
    #state.recent, sizes[1], sizes[2], sizes[3], sizes[4], sizes[5])}
  for _, event in ipairs(state.recent) do
    parts[#parts + 1] = struct.pack('<I3I4I4I4I3', event[1] - state.floor, event[2], event[3], event[4], event[5])
  end
  parts[#parts + 1] = tail
  return table.concat(parts)
end

local function is_erased(value) return string.byte(value) == erased end

local function brought(value, events, since, whole_until)
  local state = value and read(value)
  local known_since = state and state.since
  if state and since and state.floor <= whole_until then
    -- The fill knows all that the slots sum up: they are made anew.
    state.rings, state.sets, state.last, known_since = {{}, {}, {}}, {{}, {}}, 0, state.floor
  end
  local outcome, position = {}, 1
  while position <= #events do
    local at, id, cents, device, category
    at, id, cents, device, category, position = struct.unpack('<I6I4I4I4I3', events, position)
    local event = {at, id, cents, device, category}
    state = state or begun(at, since)
    if known_since and since and at <= known_since then
      roll(state, event)
      outcome[#outcome + 1] = 'a'
    else
      outcome[#outcome + 1] = offer(state, event)
    end
  end
  if state and since then state.since = math.min(state.since, since - 1) end
  return state and packed(state), table.concat(outcome)
end

local mode, now = ARGV[1], tonumber(ARGV[2])
local outcomes = {}
for number = 6, #ARGV, 2 do
  local field = ARGV[number]
  local value = redis.call('HGET', KEYS[1], field)
  if mode == 'erase' then
    redis.call('HSET', KEYS[1], field, struct.pack('<I1I6', erased, now))
  elseif mode == 'readmit' then
    if value and is_erased(value) then redis.call('HDEL', KEYS[1], field) end
  elseif value and is_erased(value) then
    outcomes[#outcomes + 1] = string.rep('e', #ARGV[number + 1] / 21)
  else
    local since = mode == 'fill' and tonumber(ARGV[3]) or nil
    local after, outcome = brought(value, ARGV[number + 1], since, tonumber(ARGV[4]))
    if after and after ~= value then redis.call('HSET', KEYS[1], field, after) end
    outcomes[#outcomes + 1] = outcome
  end
end
redis.call('PEXPIRE', KEYS[1], kept_ms + 2 * lateness_ms)
if tonumber(ARGV[5]) > 0 then
  local found = redis.call('HRANDFIELD', KEYS[1], ARGV[5], 'WITHVALUES')
  for number = 1, #found, 2 do
    local kind, floor, latest = struct.unpack('<I1I6I3', found[number + 1] .. '\0\0\0')
    if kind == erased then latest = 0 end
    if now - floor - latest > kept_ms + lateness_ms then redis.call('HDEL', KEYS[1], found[number]) end
  end
end
return table.concat(outcomes)
