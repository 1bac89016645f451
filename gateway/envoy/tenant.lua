-- Says whose address list decides over a request, and refuses a token on another tenant's path.
-- Runs after the token check and before the lists. The x-gw-* headers it reads were written by the
-- edge itself: whatever a client sent under such a name is gone by then.
local HEX = "[0-9a-f]"
local UUID = "^" .. HEX:rep(8) .. "%-" .. HEX:rep(4) .. "%-" .. HEX:rep(4) .. "%-" .. HEX:rep(4)
  .. "%-" .. HEX:rep(12) .. "$"

local function list_of_token(realm, tenant)
  if realm == "operators" and not tenant then return "operators" end
  if realm == "tenant" and tenant and tenant:match(UUID) then return tenant end
end

function envoy_on_request(handle)
  local headers, route = handle:headers(), handle:metadata()
  local realm, token = route:get("realm"), route:get("token")
  local claimed = list_of_token(headers:get("x-gw-realm"), headers:get("x-gw-token-tenant"))
  local list
  if realm == "tenant" then
    list = headers:get(":path"):match("^/t/([^/]+)/")
    if token and claimed ~= list then
      handle:respond({[":status"] = "404"}, "")
      return
    end
  elseif token then
    list = claimed
  else
    list = realm
  end
  headers:remove("x-gw-token-tenant")
  if list then headers:replace("x-gw-tenant", list) end
  -- what everybody shares has no limit of its own: one client could use it up for all
  if list and list:match(UUID) then headers:replace("x-gw-share", list) end
end
