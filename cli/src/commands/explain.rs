//! `runbook explain`: the page behind a diagnostic code.

use runbook_core::diagnostic::{self, Code, Severity};

use crate::args::Explain;
use crate::exit::{Exit, Outcome, Trouble};
use crate::ui::Ui;

pub fn run(args: &Explain, ui: &mut Ui) -> Outcome {
    let Some(wanted) = &args.code else {
        let mut list = String::new();
        for code in Code::ALL {
            let severity = match code.severity() {
                Severity::Error => "error",
                Severity::Warning => "warning",
            };
            list.push_str(&format!("{}  {severity:<7}  {}\n", code.as_str(), code.title()));
        }
        ui.data(list.trim_end())?;
        return Ok(Exit::Succeeded);
    };
    match find(wanted) {
        Some(code) => {
            ui.data(diagnostic::explain(code).trim_end())?;
            Ok(Exit::Succeeded)
        }
        None => Err(Trouble::not_valid(format!("there is no code `{wanted}`")).next("runbook explain")),
    }
}

/// A code as people type it: `RB0001`, `rb0001`, `0001`, `1`.
fn find(wanted: &str) -> Option<Code> {
    let digits = wanted.trim_start_matches(['R', 'r']).trim_start_matches(['B', 'b']);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let name = format!("RB{digits:0>4}");
    Code::ALL.iter().copied().find(|code| code.as_str() == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_as_people_type_them() {
        for (typed, found) in
            [("RB0001", true), ("rb0001", true), ("0001", true), ("1", true), ("RB9999", false), ("", false), ("RBx", false)]
        {
            assert_eq!(find(typed).is_some(), found, "{typed}");
        }
    }
}
