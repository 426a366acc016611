//! A real editor: Neovim without a screen starts the server, types, and says what it has on its pages then.

use std::process::Command;

use serde_json::Value;

use super::{BOOK, TEST, WORKSPACE};
use crate::harness::find_program;
use crate::harness::program::{Runbook, plain};

/// Works as a person would, waits for what the server tells, and writes down what there is.
const SCRIPT: &str = r#"
local said = {}
local function wait(what, ready)
  if not vim.wait(30000, ready, 20) then error(what .. ' did not happen') end
end
local function lines(buffer) return table.concat(vim.api.nvim_buf_get_lines(buffer, 0, -1, true), '\n') .. '\n' end
local function at(buffer, text, behind)
  for n, line in ipairs(vim.api.nvim_buf_get_lines(buffer, 0, -1, true)) do
    local found = line:find(text, 1, true)
    if found then vim.api.nvim_win_set_cursor(0, { n, found - 1 + (behind and #text or 0) }) return n, found - 1 end
  end
  error(text .. ' does not stand there')
end
local function ask(method, more)
  local params = vim.tbl_extend('force', vim.lsp.util.make_position_params(0, 'utf-16'), more or {})
  for _, answer in pairs(vim.lsp.buf_request_sync(0, method, params, 30000) or {}) do return answer.result end
end
local function work()
  vim.o.hidden = true
  vim.cmd('edit book.yaml')
  local book = vim.api.nvim_get_current_buf()
  local id = vim.lsp.start_client({ name = 'runbook', cmd = { vim.env.RUNBOOK, 'lsp' }, root_dir = vim.fn.getcwd() })
  vim.lsp.buf_attach_client(book, id)
  wait('the greeting', function() return vim.lsp.buf_get_clients(book)[id] ~= nil end)
  -- Typed behind a character of two units, and taken back.
  local line, column = at(book, 'host}}"')
  vim.api.nvim_buf_set_text(book, line - 1, column, line - 1, column + 1, { '' })
  wait('a fault', function() return #vim.diagnostic.get(book) > 0 end)
  local fault = vim.diagnostic.get(book)[1]
  said.fault = { code = fault.code, message = fault.message, found = { fault.lnum, fault.col }, expected = { line - 1, column - 7 } }
  vim.api.nvim_buf_set_text(book, line - 1, column, line - 1, column, { 'h' })
  wait('no fault', function() return #vim.diagnostic.get(book) == 0 end)
  at(book, 'look.exit')
  said.hover = ask('textDocument/hover').contents.value
  said.definition = ask('textDocument/definition').range.start.line
  at(book, 'steps.look.', true)
  said.offered = vim.tbl_map(function(item) return item.label end, ask('textDocument/completion'))
  local lenses = vim.lsp.buf_request_sync(book, 'textDocument/codeLens', { textDocument = vim.lsp.util.make_text_document_params() }, 30000)
  said.lens = lenses[id].result[1].command.title
  at(book, 'look.exit')
  vim.lsp.buf.rename('seen')
  wait('the new name', function() return lines(book):find('id: seen', 1, true) ~= nil end)
  said.book = lines(book)
  said.test = lines(vim.fn.bufnr('book.test.yaml'))
  vim.api.nvim_buf_set_lines(book, 3, 4, true, { 'version:    1.0.0' })
  if vim.lsp.buf.format then vim.lsp.buf.format({ timeout_ms = 30000 }) else vim.lsp.buf.formatting_sync(nil, 30000) end
  said.version = vim.api.nvim_buf_get_lines(book, 3, 4, true)[1]
  vim.lsp.stop_client(id)
  wait('the goodbye', function() return vim.lsp.client_is_stopped(id) end)
end
local fine, why = pcall(work)
if not fine then said.trouble = tostring(why) end
vim.fn.writefile({ vim.fn.json_encode(said) }, 'said.json')
vim.cmd('qall!')
"#;

#[test]
fn neovim_works_with_it() {
    let program = Runbook::alone();
    let folder = program.scratch.folder("shelf");
    let book = BOOK
        .replace("run: echo 🔭{{inputs.host}}", "run: echo \"🔭{{inputs.host}}\"")
        .replace("call: other@^1", "run: 'true'\n    effect: read");
    let test = TEST.replace(", deep/inside: ok", "").replace("deep/inside", "deep");
    for (name, text) in
        [("book.yaml", book.as_str()), ("book.test.yaml", &test), ("workspace.yaml", WORKSPACE), ("work.lua", SCRIPT)]
    {
        std::fs::write(folder.join(name), text).expect("a file is written");
    }
    let mut command = Command::new(find_program("nvim"));
    plain(&mut command, program.scratch.path());
    command.args(["--clean", "--headless", "-c", "luafile work.lua"]).env("RUNBOOK", env!("CARGO_BIN_EXE_runbook"));
    let output = command.current_dir(&folder).output().expect("nvim starts");
    let said = std::fs::read_to_string(folder.join("said.json")).unwrap_or_else(|why| panic!("{why}: {output:?}"));
    let said: Value = serde_json::from_str(&said).expect("it is JSON");
    assert_eq!(said["trouble"], Value::Null, "{output:?}");
    assert_eq!((said["fault"]["code"].as_str(), &said["fault"]["found"]), (Some("RB0102"), &said["fault"]["expected"]), "{said}");
    assert!(said["hover"].as_str().is_some_and(|text| text.contains("`exit_code`: integer")), "{said}");
    assert_eq!((&said["definition"], &said["lens"]), (&Value::from(7), &Value::from("dry run")));
    assert!(said["offered"].to_string().starts_with(r#"["exit_code","json","stderr","stdout","#), "{said}");
    assert_eq!(said["book"].as_str(), Some(book.replace("id: look", "id: seen").replace("steps.look", "steps.seen").as_str()));
    assert_eq!(said["test"].as_str(), Some(test.replace("look", "seen").as_str()));
    assert_eq!(said["version"], "version: 1.0.0");
}
