-- The first to see a request: its head has one meaning, and a body that is too large is read to its
-- end and thrown away. Curl and others lose an answer that overtakes their body.
local HEAD_BYTES, HEADERS = 32 * 1024, 64
local DRAINED_BODY = 64 * 1024 * 1024
local METHODS = {
  GET = true, HEAD = true, POST = true, PUT = true, PATCH = true, DELETE = true, OPTIONS = true,
}
local BODIES = { POST = true, PUT = true, PATCH = true }
local NOTES = "bulkhead"

local function note(handle, name, value)
  handle:streamInfo():dynamicMetadata():set(NOTES, name, value)
end

-- A network of callers and not one of them: IPv4 by /24, IPv6 by /48.
local function network_of(address)
  local v4 = address:gsub("^%[::ffff:([%d.]+)%]", "%1"):match("^(%d+%.%d+%.%d+)%.%d+:%d+$")
  if v4 then return v4 .. ".0/24" end
  local v6 = address:match("^%[([%x:]+)%]:%d+$")
  if not v6 then return "unknown" end
  local head, tail = v6:match("^(.-)::(.*)$")
  local groups = {}
  for group in (head or v6):gmatch("%x+") do groups[#groups + 1] = group end
  local after = select(2, (tail or ""):gsub("%x+", ""))
  for _ = #groups + 1, 8 - after do groups[#groups + 1] = "0" end
  for group in (tail or ""):gmatch("%x+") do groups[#groups + 1] = group end
  return table.concat(groups, ":", 1, 3) .. "::/48"
end

local function size_of(headers)
  local bytes, count = 0, 0
  for name, value in pairs(headers) do bytes, count = bytes + #name + #value, count + 1 end
  return bytes, count
end

-- Over HTTP/2 a client may repeat its :authority as Host; Envoy joins the two.
local function write_host_once(headers, protocol)
  local one, two = (headers:get(":authority") or ""):match("^([^,]+),([^,]+)$")
  if protocol == "HTTP/2" and one and one == two then headers:replace(":authority", one) end
end

local function fault_of(headers)
  local host, method = headers:get(":authority") or "", headers:get(":method")
  if host == "" or host:find(",", 1, true) then
    return "400", "a request names exactly one host"
  end
  if not METHODS[method] then return "405", "the edge does not pass this method" end
  if headers:get("x-gw-upgrade") then return "400", "the edge does not upgrade connections" end
  local bytes, count = size_of(headers)
  if bytes > HEAD_BYTES then return "431", "the headers are " .. bytes .. " bytes, at most 32 KiB are taken" end
  if count > HEADERS then return "431", "there are " .. count .. " headers, at most 64 are taken" end
end

-- Upstream and log take it as it came, so it is short and visible or not there.
local function check_the_clients_id(headers)
  local id = headers:get("x-client-request-id")
  if id and (#id > 128 or not id:match("^[\33-\126]+$")) then headers:remove("x-client-request-id") end
end

-- The scheme of a credential has no case (RFC 9110 section 11.1); the token check knows one form.
local function write_bearer_in_one_form(headers)
  local token = (headers:get("authorization") or ""):match("^[Bb][Ee][Aa][Rr][Ee][Rr] +(.*)$")
  if token then headers:replace("authorization", "Bearer " .. token) end
end

local function await_whole_body(handle)
  local large, held, size = handle:metadata():get("large"), handle:metadata():get("held"), 0
  for chunk in handle:bodyChunks() do
    size = size + chunk:length()
    if not large and size > held and size <= DRAINED_BODY then
      note(handle, "too_large", true)
      chunk:setBytes("")
    end
  end
end

function envoy_on_request(handle)
  local headers = handle:headers()
  note(handle, "network", network_of(handle:streamInfo():downstreamRemoteAddress()))
  local announced = BODIES[headers:get(":method")] or headers:get("content-length")
  if announced then note(handle, "unread", true) end
  write_host_once(headers, handle:streamInfo():protocol())
  local status, why = fault_of(headers)
  if status then
    note(handle, "why", why)
    handle:respond({[":status"] = status}, "")
    return
  end
  check_the_clients_id(headers)
  write_bearer_in_one_form(headers)
  await_whole_body(handle)
  if announced then note(handle, "unread", false) end
end

-- A refusal that comes before the body waits a moment for it; what arrives meanwhile is dropped.
-- Not so where there is nothing to wait for: the framing is broken, or the body had its time.
local BODY_IS_OVER = { ["400"] = true, ["408"] = true }

function envoy_on_response(handle)
  local status = handle:headers():get(":status")
  if tonumber(status) < 400 or BODY_IS_OVER[status] then return end
  local seen = handle:streamInfo():dynamicMetadata():get(NOTES) or {}
  if seen.unread then
    handle:httpCall("pause", {[":method"] = "GET", [":path"] = "/", [":authority"] = "pause"}, "", 5000)
  end
end
