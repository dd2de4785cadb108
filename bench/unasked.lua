-- Requests a page for the first time: the site ignores a parameter that it does not know, but remembers each
-- address for itself.
local number = 0
local run = os.time()

request = function()
  number = number + 1
  return wrk.format("GET", wrk.path .. "?run=" .. run .. "&number=" .. number)
end
