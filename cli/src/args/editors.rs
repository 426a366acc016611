//! The commands that serve whoever writes documents.

use clap::{Args, ValueHint};

/// Put documents into their canonical form
///
/// Keys stand in the order of `runbook docs format`, two spaces indent, and every comment stays. What is written says what was
/// read: a file of which that cannot be shown is left as it is. Exits 2 if a file cannot be read.
#[derive(Debug, Args)]
pub struct Fmt {
    /// Files, folders or names of procedures; the whole catalogue where none is given; `-` reads standard input and prints
    #[arg(value_name = "PROCEDURE|PATH|-", value_hint = ValueHint::AnyPath)]
    pub what: Vec<String>,
    /// Write nothing; name the files that would change, and exit 1 if there are any
    #[arg(long)]
    pub check: bool,
}

/// Serve an editor: faults while you type, completion, hover, definitions, renaming, dry runs
///
/// The language server protocol over standard input and output; an editor starts it. It reads the documents that are open, the
/// folders they stand in, and what steps gave in earlier runs. It changes nothing: edits are the editor's. docs/editors.md says how
/// to set up VS Code, Neovim, Helix and the JetBrains family.
#[derive(Debug, Args)]
pub struct Lsp {
    /// Speak over standard input and output; there is no other way
    #[arg(long, hide = true)]
    pub stdio: bool,
}

/// Print the language as JSON Schema, for editors
///
/// Draft 7, for every kind of document. `runbook init` writes it to .runbook/schema-v1.json, which the first line of a file names:
/// `# yaml-language-server: $schema=.runbook/schema-v1.json`.
#[derive(Debug, Args)]
pub struct Schema {}
