-- Runs when a small request has wholly arrived: from here on it has its own route and its own time.
function envoy_on_request(handle)
  local notes = handle:streamInfo():dynamicMetadata()
  if (notes:get("bulkhead") or {}).too_large then
    local most = handle:metadata():get("most")
    notes:set("bulkhead", "why", string.format("this route takes at most %d bytes", most))
    handle:respond({[":status"] = "413"}, "")
    return
  end
  handle:headers():replace("x-gw-whole", "1")
  handle:clearRouteCache()
end
