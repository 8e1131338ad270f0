import { COUNT, LIST, MARK, OPERATIONS } from './redis-operations.ts'

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
