/**
 * How Redis holds the contract. A partition is four keys under one hash tag, so that a cluster keeps them together and a transaction is
 * one script:
 *
 * | key          | type | holds                                                                                                    |
 * |--------------|------|----------------------------------------------------------------------------------------------------------|
 * | `{P}`        | hash | `r…` rows `version:expires:value`, `w…` windows `top:expires:era:ring`, `e…` counters `expires:events`,   |
 * |              |      | and of the partition: `v` its last version, `b` the era it was born in, `m` until when its keys are kept  |
 * | `{P}:names`  | zset | keys of rows, all of score 0, for `list`                                                                 |
 * | `{P}:ends`   | zset | fields of the hash by when they expire                                                                   |
 * | `{P}:outbox` | hash | entries `version:value` by id                                                                            |
 *
 * A script that fails half-way would leave half behind. So the operations work on what was read and what they would write, and all
 * writes stand at the end.
 *
 * `era` is the replication id: it is another one when the server has started anew or was promoted, and writes that were acknowledged may
 * be missing. Then every replay window is raised by 2^20 before it is used (ATH-7.6).
 */
const CELLS = `
local cells, names, ends, outbox = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local now = tonumber(ARGV[1])
local text = function(number) return string.format('%.0f', number) end
local live = function(expires) return expires == '' or tonumber(expires) > now end
local meta = redis.call('HMGET', cells, 'v', 'b', 'm')

local current
local function era()
  if not current then
    current = string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)')
    if not current then error('INFO replication names no master_replid') end
  end
  return current
end

local version
-- Never lower than the clock: what is lost with a master is older than that.
local function next_version()
  if not version then
    local clock = redis.call('TIME')
    version = math.max(tonumber(meta[1] or 0), tonumber(clock[1]) * 1000000 + tonumber(clock[2]))
  end
  version = version + 1
  return version
end

-- What is read once is kept, and what is to be written stands beside it: false where nothing is.
local known, dirty = {}, {}
local function field(name, parse)
  if known[name] == nil then
    local stored = redis.call('HGET', cells, name)
    known[name] = stored and parse(stored) or false
  end
  local cell = known[name]
  return cell and live(cell.expires) and cell or nil
end
local function write(name, cell) known[name] = cell; dirty[name] = true end

local function parse_row(stored)
  local version, expires, at = string.match(stored, '^(%d+):(%d*):()')
  return { version = tonumber(version), expires = expires, value = string.sub(stored, at) }
end
local function parse_window(stored)
  local top, expires, era, at = string.match(stored, '^(%-?%d+):(%d*):(%x+):()')
  return { top = tonumber(top), expires = expires, era = era, ring = string.sub(stored, at) }
end
local function parse_events(stored)
  local expires, at = string.match(stored, '^(%d*):()')
  return { expires = expires, events = cjson.decode(string.sub(stored, at)) }
end
local ends_of = function(op) return op.expiresAt and text(op.expiresAt) or '' end`

/** `list`: what is stored, and what this transaction has written. Lua would compare strings by the server's locale. */
const LIST = `
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
const MARK = `
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
const COUNT = `
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
const OPERATIONS = `
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

/**
 * A partition whose every field expires goes with the last of them: so many seconds from now, for the caller's clock need not be the
 * server's. A few fields that have expired go with every write.
 */
const APPLY = `
local function encode(kind, cell)
  if kind == 'r' then return text(cell.version) .. ':' .. cell.expires .. ':' .. cell.value end
  if kind == 'w' then return text(cell.top) .. ':' .. cell.expires .. ':' .. cell.era .. ':' .. cell.ring end
  return cell.expires .. ':' .. cjson.encode(cell.events)
end
local function remove(name)
  redis.call('HDEL', cells, name)
  redis.call('ZREM', ends, name)
  if string.sub(name, 1, 1) == 'r' then redis.call('ZREM', names, string.sub(name, 2)) end
end
for id in pairs(dropped) do redis.call('HDEL', outbox, id) end
for id, entry in pairs(appended) do redis.call('HSET', outbox, id, entry) end
if version then redis.call('HSET', cells, 'v', text(version)) end
if next(dirty) == nil and not version then return reply end

local keep = meta[3]
for name in pairs(dirty) do
  local kind, cell = string.sub(name, 1, 1), known[name]
  if not cell then
    remove(name)
  else
    redis.call('HSET', cells, name, encode(kind, cell))
    if kind == 'r' then redis.call('ZADD', names, 0, string.sub(name, 2)) end
    if cell.expires == '' then
      redis.call('ZREM', ends, name)
      keep = 'ever'
    else
      redis.call('ZADD', ends, cell.expires, name)
      if keep ~= 'ever' then keep = text(math.max(tonumber(keep or 0), tonumber(cell.expires))) end
    end
  end
end
for _, name in ipairs(redis.call('ZRANGEBYSCORE', ends, '-inf', text(now), 'LIMIT', 0, 4)) do remove(name) end
if not meta[2] then redis.call('HSET', cells, 'b', era()) end
if keep and redis.call('HLEN', cells) <= 3 and redis.call('EXISTS', names, ends) == 0 then
  redis.call('HDEL', cells, 'm')
  keep = false
elseif keep and keep ~= meta[3] then
  redis.call('HSET', cells, 'm', keep)
end
for _, key in ipairs({ cells, names, ends }) do
  if keep == 'ever' then
    redis.call('PERSIST', key)
  elseif keep ~= meta[3] or redis.call('TTL', key) == -1 then
    redis.call('EXPIRE', key, math.max(0, (tonumber(keep) or now) - now) + 60)
  end
end
return reply`

/** Keys: the four of the partition. Arguments: Unix seconds, the operations as JSON. */
export const TRANSACT = [CELLS, LIST, MARK, COUNT, OPERATIONS, APPLY].join('\n')

/** Keys: the four of the partition. Arguments: Unix seconds, how many fields at most. */
export const SWEEP = `
local cells, names, ends = KEYS[1], KEYS[2], KEYS[3]
local expired = redis.call('ZRANGEBYSCORE', ends, '-inf', ARGV[1], 'LIMIT', 0, tonumber(ARGV[2]))
for _, name in ipairs(expired) do
  redis.call('HDEL', cells, name)
  redis.call('ZREM', ends, name)
  if string.sub(name, 1, 1) == 'r' then redis.call('ZREM', names, string.sub(name, 2)) end
end
return #expired`
