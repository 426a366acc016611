//! Pages on a telephone and on a desk: nothing runs out of them to the side.

use crate::POLICY;
use crate::harness::browser::Browser;
use crate::harness::program::Runbook;
use crate::harness::{Scratch, repository};

/// Lines, words, links and defaults that are longer than any screen.
fn long() -> String {
    let (word, line) = ("longword".repeat(40), "one two-three /four/five --six=seven ".repeat(12));
    format!(
        "apiVersion: runbook/v1
kind: Runbook
name: long
version: 1.0.0
title: Title {word}
description: |
  A paragraph with {word} and https://example.org/{word}

  - an item {word}

      a block {line}
inputs:
  place: {{type: string, default: 'https://example.org/{word}', description: 'What {word} is'}}
  several: {{type: string, default: '{line}'}}
steps:
  - id: look
    why: Because {word}
    run: |
      echo {line}
      {word}
    effect: read
    by_hand: |
      Look at {word}

          a block {line}
  - id: agree
    approve:
      question: |
        May it go on with {word}?
        {line}
  - id: change
    name: A step {word}
    exec: [change, '{{{{inputs.place}}}}', '{line}']
    undo: {{name: Back {word}, exec: [back, '{line}']}}
"
    )
}

#[test]
fn nothing_runs_out_of_a_page_to_the_side() {
    let (browser, folder) = (Browser::new(), Scratch::new());
    std::fs::write(folder.join("long.yaml"), long()).expect("a file");
    let shipped = repository().join("runbooks");
    let inputs = ["--input", "database=x", "--input", "backup_dir=/b"];
    for (catalogue, name, inputs) in [(folder.path(), "long", &[][..]), (shipped.as_path(), "pg-backup-verify", &inputs)] {
        let runbook = Runbook::over(catalogue);
        for arguments in [
            vec!["docs", name, "--format", "html"],
            vec!["docs", name, "--format", "manual"],
            vec!["docs", "--index", "--format", "html"],
            [&["dry-run", name, "--format", "html"], inputs].concat(),
        ] {
            let page = runbook.run(&arguments).assert(0).stdout.replace(POLICY, "<meta name=\"none\"");
            for window in [360, 1280] {
                let wide = browser.content_width(&page, window);
                assert!(wide <= window, "{arguments:?} is {wide} px wide in a window of {window} px");
            }
        }
    }
    // What is looked for is found where it is.
    assert!(browser.content_width(&format!("<!doctype html><body>{}</body>", "x".repeat(300)), 360) > 360);
}
