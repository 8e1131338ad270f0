/** What the operations of the contract mean, in Lua. The suite compares them with those in memory, `run.ts`. */

/** `list`: what is stored, and what this transaction has written. Lua would compare strings by the server's locale. */
export const LIST = `
local function before(a, b)
  local x, y = { string.byte(a, 1, 2048) }, { string.byte(b, 1, 2048) }
  for i = 1, math.min(#x, #y) do
    if x[i] ~= y[i] then return x[i] < y[i] end
  end
  return #a < #b
end
local function list(prefix, limit)
  local low, high = '-', '+'
  if prefix ~= '' then low = '[' .. prefix; high = '(' .. prefix .. '\\255' end
  local found, seen, offset = {}, {}, 0
  for name, cell in pairs(known) do
    if string.sub(name, 1, 1) == 'r' and dirty[name] then
      local key = string.sub(name, 2)
      seen[key] = true
      if cell and live(cell.expires) and string.sub(key, 1, #prefix) == prefix then found[#found + 1] = key end
    end
  end
  local wanted = #found + limit
  repeat
    local page = redis.call('ZRANGEBYLEX', names, low, high, 'LIMIT', offset, 256)
    for _, key in ipairs(page) do
      if not seen[key] and field('r' .. key, parse_row) then found[#found + 1] = key end
    end
    offset = offset + 256
  until #page < 256 or #found >= wanted
  table.sort(found, before)
  local rows = {}
  for i = 1, math.min(limit, #found) do
    local row = field('r' .. found[i], parse_row)
    rows[i] = { found[i], row.value, text(row.version) }
  end
  return rows
end`

/** `window.ts` in Lua, its bits in a ring: the place of a number is the number modulo 1024. */
export const MARK = `
local MOST, RAISE = 9007199254740991, 1048576
local function mark(op)
  local window = field('w' .. op.key, parse_window)
  local top, ring, lost
  if window then
    top, ring, lost = window.top, window.ring, window.era ~= era()
  else
    top, ring, lost = -1, string.rep('\\0', 128), op.seq >= 0 and meta[2] and meta[2] ~= era()
  end
  if lost then top = math.min(top + RAISE, MOST); ring = string.rep('\\255', 128) end
  local seq = op.seq
  local bytes = { string.byte(ring, 1, 128) }
  local function place(number)
    local at = number % 1024
    return math.floor(at / 8) + 1, 2 ^ (at % 8)
  end
  local byte, bit_value = place(seq)
  local function is_set() return math.floor(bytes[byte] / bit_value) % 2 == 1 end
  local fresh
  if seq > top then
    fresh = true
    if seq - top >= 1024 then
      for i = 1, 128 do bytes[i] = 0 end
    else
      for passed = top + 1, seq do
        local at, value = place(passed)
        if math.floor(bytes[at] / value) % 2 == 1 then bytes[at] = bytes[at] - value end
      end
    end
    top = seq
  else
    fresh = top - seq < 1024 and not is_set()
  end
  if fresh then
    if not is_set() then bytes[byte] = bytes[byte] + bit_value end
    write('w' .. op.key, { top = top, expires = ends_of(op), era = era(), ring = string.char(unpack(bytes)) })
  end
  return not fresh, { fresh and 1 or 0, top < MOST and text(top + 1) or false }
end`

/** `rate.ts` in Lua. */
export const COUNT = `
local function count(op)
  local counter = field('e' .. op.key, parse_events)
  local before = counter and counter.events or {}
  local by_seconds, limits, order, longest = {}, {}, {}, nil
  for _, known_window in ipairs(before) do
    local seconds = known_window[1]
    by_seconds[seconds] = known_window; order[#order + 1] = seconds
    if not longest or seconds > longest[1] then longest = known_window end
  end
  for _, limit in ipairs(op.limits) do
    local seconds = limit.windowSeconds
    if not by_seconds[seconds] and not limits[seconds] then order[#order + 1] = seconds end
    limits[seconds] = math.min(limits[seconds] or limit.limit, limit.limit)
  end
  local retry, events, most_seconds = 0, {}, 0
  for _, seconds in ipairs(order) do
    local from = by_seconds[seconds] or longest
    local buckets = from and from[2] or {}
    local at = op.nowMs
    if #buckets > 0 then at = math.max(at, buckets[#buckets][1] - from[1] * (1000 / 60)) end
    local kept, total = {}, 0
    for _, bucket in ipairs(buckets) do
      if bucket[1] > at - seconds * 1000 then kept[#kept + 1] = { bucket[1], bucket[2] }; total = total + bucket[2] end
    end
    if limits[seconds] then
      local excess = total - limits[seconds] + 1
      for _, bucket in ipairs(kept) do
        if excess <= 0 then break end
        excess = excess - bucket[2]
        retry = math.max(retry, math.ceil((bucket[1] + seconds * 1000 - at) / 1000), 1)
      end
    end
    if limits[seconds] or #kept > 0 then
      local width = math.max(1, math.floor(seconds * 1000 / 60))
      local bucket_end = (math.floor(at / width) + 1) * width
      local last = kept[#kept]
      if last and last[1] >= bucket_end then last[2] = last[2] + 1 else kept[#kept + 1] = { bucket_end, 1 } end
      events[#events + 1] = { seconds, kept }
      most_seconds = math.max(most_seconds, seconds)
    end
  end
  if retry > 0 then return true, { 0, retry } end
  if #events > 0 then
    local expires = text(math.ceil(op.nowMs / 1000) + 2 * most_seconds)
    write('e' .. op.key, { expires = expires, events = events })
  end
  return false, { 1, 0 }
end`

/** `run.ts` in Lua. A refused operation says so, and what it answers. */
export const OPERATIONS = `
local row_of = function(op) return field('r' .. op.key, parse_row) end
local answer = function(row) return row and { row.value, text(row.version) } or false end
local appended, dropped, order = {}, {}, {}
local run = {}
function run.get(op)
  local row = row_of(op)
  return op['if'] ~= nil and (op['if'] == 'present') ~= (row ~= nil), answer(row)
end
function run.list(op) return false, list(op.prefix, op.limit) end
function run.put(op)
  local row, wanted = row_of(op), op['if']
  local holds = wanted == nil
  if wanted == 'absent' then holds = row == nil elseif wanted ~= nil then holds = row ~= nil and row.version == wanted end
  if not holds then return true, { 0, answer(row) } end
  local written = { version = next_version(), expires = ends_of(op), value = op.value }
  write('r' .. op.key, written)
  return false, { 1, answer(written) }
end
function run.delete(op)
  local row = row_of(op)
  if op['if'] ~= nil and not (row and row.version == op['if']) then return true, 0 end
  write('r' .. op.key, false)
  return false, row and 1 or 0
end
function run.take(op)
  local row = row_of(op)
  write('r' .. op.key, false)
  return row == nil, answer(row)
end
run.mark = mark
run.count = count
function run.append(op)
  local is_there = appended[op.id] or (not dropped[op.id] and redis.call('HEXISTS', outbox, op.id) == 1)
  if not is_there then
    appended[op.id] = text(next_version()) .. ':' .. op.value
  end
  return false, false
end
function run.drop(op)
  for _, id in ipairs(op.ids) do dropped[id] = true; appended[id] = nil end
  return false, false
end

local outcome, stopped_at, results = 'done', -1, {}
for i, op in ipairs(cjson.decode(ARGV[2])) do
  local refused, result = run[op.op](op)
  results[i] = result
  local on_refusal = op.onRefusal or 'abort'
  if refused and on_refusal ~= 'continue' then
    outcome = on_refusal == 'stop' and 'stopped' or 'aborted'
    stopped_at = i - 1
    break
  end
end
local reply = { outcome, stopped_at, results }
if outcome == 'aborted' then return reply end`
