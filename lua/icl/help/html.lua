-- help/html.lua: the whole reference as one page that asks for nothing else, with a search over all of it.
local core = require "icl.core"
local fail = require "icl.internal.fail"
local help = require "icl.help"
local markup = require "icl.internal.markup"
local reference = require "icl.help.reference"
local width = require "icl.internal.width"

local page = [==[
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>icl $version: reference</title>
<style>
:root { color-scheme: light dark }
body { margin: 0; font: 15px/1.5 system-ui, sans-serif; color: #222; background: #fff; display: flex }
nav { position: sticky; top: 0; height: 100vh; overflow: auto; width: 15em; flex: none; padding: 1em;
      background: #f4f4f2; box-sizing: border-box }
nav a { display: block; color: #225; text-decoration: none }
main { padding: 1em 2em 40vh; max-width: 70em; min-width: 0 }
input { width: 100%; box-sizing: border-box; font: inherit; padding: 0.3em }
h2 { margin: 2em 0 0.5em; border-bottom: 1px solid #ccc }
section { margin: 1em 0 }
h3 { margin: 0; font: bold 1em ui-monospace, monospace }
h3 a { color: inherit; text-decoration: none }
pre { margin: 0.3em 0 0 1em; white-space: pre-wrap; font: 13px/1.45 ui-monospace, monospace }
.hidden { display: none }
@media (prefers-color-scheme: dark) {
  body { color: #ddd; background: #1b1b1b }
  nav { background: #252525 }
  nav a { color: #9bf }
}
@media (max-width: 50em) {
  body { display: block }
  nav { position: static; height: auto; width: auto }
  nav a { display: inline-block; margin-right: 0.8em }
  main { padding: 0.5em 1em 40vh }
  pre { margin-left: 0; overflow-wrap: anywhere }
}
@media print { nav { display: none } }
</style>
<nav>
<input id="search" type="search" placeholder="search" autofocus>
<p id="count"></p>
$(links)
</nav>
<main>
<h1>icl $version</h1>
$(body)
</main>
<script>
const field = document.getElementById("search"), count = document.getElementById("count");
const entries = [...document.querySelectorAll("section")].map(
  e => ({ element: e, name: e.id.toLowerCase(), text: e.textContent.toLowerCase() }));
function search() {
  const words = field.value.toLowerCase().split(/\s+/).filter(w => w);
  let found = 0;
  for (const e of entries) {
    const fits = words.every(w => e.text.includes(w));
    e.element.classList.toggle("hidden", !fits);
    found += fits;
  }
  for (const group of document.querySelectorAll("main > div"))
    group.classList.toggle("hidden", !group.querySelector("section:not(.hidden)"));
  count.textContent = words.length ? found + " found" : "";
}
field.addEventListener("input", search);
</script>
</html>
]==]

local function section(name, text)
  return markup.fill('<section id="$name"><h3><a href="#$name">$name</a></h3><pre>$text</pre></section>',
    { name = name, text = text })
end

local function heading(name)
  return markup.fill('<h2 id="group-$name">$name</h2>', { name = name })
end

local function make()
  local links, parts, group = {}, {}, nil
  local function enter(name)
    if group then parts[#parts + 1] = "</div>" end
    group = name
    links[#links + 1] = markup.fill('<a href="#group-$name">$name</a>', { name = name })
    parts[#parts + 1] = "<div>" .. heading(name)
  end
  enter "overview"
  parts[#parts + 1] = section("at the prompt", help.text())
  parts[#parts + 1] = section("pytorch", require "icl.help.pytorch")
  for _, entry in ipairs(reference.entries(help.text)) do
    if entry.group ~= group then enter(entry.group) end
    parts[#parts + 1] = section(entry.name, entry.text)
  end
  parts[#parts + 1] = "</div>"
  return markup.fill(page, { version = core.version, links = table.concat(links, "\n"),
                             body = table.concat(parts, "\n") })
end

local html = {}

-- html.page() -> the text of the page, in lines of 120 characters.
function html.page()
  return width.during(120, make)
end

-- html.write(path) -> the file of the page: `path` if that ends in .html, else index.html in a folder of this name.
function html.write(path)
  if not path:lower():find "%.html?$" then
    local made, message = core.make_folder(path)
    if not made then fail("icl help: %s", message) end
    path = path:gsub("/*$", "") .. "/index.html"
  end
  local done, message = core.file_write(path, html.page())
  if not done then fail("icl help: %s", message) end
  return path
end

return html
